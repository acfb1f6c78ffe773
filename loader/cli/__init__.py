"""The command `loader`: a file for each of its commands.

In: words of a command line. Out: an exit code of parser.EXIT_CODES; results go to standard output, all else to
standard error. Open first: commands.py. The applications' commands share parser, policy, run, streams, supervise.
"""

from loader.cli.commands import main

__all__ = ["main"]
