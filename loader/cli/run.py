"""One run of a command: whatever it meets becomes one readable line, or a JSON object, and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cli import streams
from loader.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BROKEN_PIPE", "INTERRUPTED", "run"]

#: What shells show for programs that ended by SIGINT and SIGPIPE.
INTERRUPTED = 130
BROKEN_PIPE = 141


class OsError(LoaderError):
    """The operating system refused something that no part of the command expects to fail."""


class NotFoundError(OsError):
    """The same, because a file is not there."""

    exit_code = 3


def run(program: str, command: Callable[[], int], *, json: bool, own_process: bool) -> int:
    """Runs `command` and returns the exit code.

    Args:
        program: name before each message.
        command: returns an exit code, or raises.
        json: errors are objects on standard output.
        own_process: the process exists for this command, whose streams can be set up for it.
    """
    if own_process:
        streams.prepare()
    try:
        return _outcome(program, command, json)
    except BrokenPipeError:  # whoever read our output has seen enough
        code = BROKEN_PIPE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except LoaderError as error:  # standard output does not work: not even for an error as JSON
        streams.message(program, "error", str(error))
        code = error.exit_code
    if own_process:
        streams.discard()
    return code


def _outcome(program: str, command: Callable[[], int], json: bool) -> int:
    failure: LoaderError
    try:
        try:
            code = command()
        except SystemExit as end:  # argparse, after --help and --version
            code = end.code if isinstance(end.code, int) else 0
        streams.flush()
        return code
    except (BrokenPipeError, streams.StdoutError):  # what is left in the buffer must not fail once more below
        raise
    except LoaderError as error:
        failure = error
    except OSError as error:
        failure = _of_system(error)
    except MemoryError:
        failure = OsError("there is not enough memory")
    if json:
        streams.write_json(failure.to_dict())
    else:
        streams.message(program, "error", str(failure))
    streams.flush()
    return failure.exit_code


def _of_system(error: OSError) -> OsError:
    kind = NotFoundError if isinstance(error, FileNotFoundError) else OsError
    path = None if error.filename is None else str(error.filename)
    return kind(error.strerror or str(error), path=path)
