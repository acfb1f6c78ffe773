"""What happens to a process that plugins run in: who crashed it, who changed its state, what a load did.

In: plugins and the files that they are from. Out: reports, read by people or by the next start (quarantine).
Open first: crash.py (written by a dying process), trust/quarantine.py (read), process_state.py, report.py (one load).
"""
