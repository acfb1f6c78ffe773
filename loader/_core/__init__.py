"""The one door to C: the caller (`_call`), opening libraries (`_ffi`), the quick reader (`_elf`).

See call/core.h for a call's round trip.
"""
