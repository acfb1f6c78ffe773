"""The command `loader`: a file for each group of its commands, main.py for the rest and the way in.

In: words of a command line. Out: an exit code of parser.EXIT_CODES; results go to standard output, all else to
standard error. Open first: main.py. The applications' commands share parser, streams, run and supervise.
"""

from loader.cli.main import main

__all__ = ["main"]
