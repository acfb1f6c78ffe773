"""Standard input, output and error of the commands.

Results go to standard output, bytes unchanged. Messages go to standard error, one line each. Text that came
out of files and plugins is escaped first: control characters in it could move a terminal's cursor, change its
title, or make one line look like another.
"""

from __future__ import annotations

import contextlib
import os
import sys

from loader.errors import LoaderError

__all__ = [
    "StdoutError",
    "StreamError",
    "discard",
    "flush",
    "message",
    "prepare",
    "printable",
    "read_input",
    "to_terminal",
    "write",
    "write_json",
]


class StreamError(LoaderError):
    """Standard input or output is closed or does not work: a full disk, for one."""


class StdoutError(StreamError):
    """It is standard output, where no error can be told then either."""


def printable(text: str, *, keep: str = "") -> str:
    """Text with all that is not a visible character or a space escaped, but for those in `keep`.

    Besides control characters that is what turns the direction of writing and what is invisible.
    """

    def shown(each: str) -> str:
        return each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()

    return text if text.isprintable() else "".join(map(shown, text))


def message(program: str, level: str, text: str) -> None:
    """One line on standard error: "program: level: text". Nowhere to write it is no reason to fail."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(printable(f"{program}: {level}: {text}") + "\n")
            sys.stderr.flush()


def write(data: str | bytes) -> None:
    """Appends to standard output; bytes as they are. Raises StdoutError, or BrokenPipeError."""
    out = sys.stdout
    if out is None:
        raise StdoutError("standard output is closed")
    try:
        if isinstance(data, str):
            out.write(data)
        elif hasattr(out, "buffer"):
            out.flush()
            out.buffer.write(data)
        else:  # a program replaced it by a stream of text
            out.write(data.decode("utf-8", "replace"))
    except OSError as error:
        raise _failed(error) from error


def write_json(value: object) -> None:
    """Appends a value as JSON, in ASCII: no terminal or encoding can be troubled by it."""
    import json  # noqa: PLC0415 - not for --help

    write(json.dumps(value, indent=2) + "\n")


def flush() -> None:
    """Hands on what was written. Raises StdoutError, or BrokenPipeError."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError as error:
            raise _failed(error) from error


def _failed(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return error
    return StdoutError("standard output cannot be written", found=error.strerror or str(error))


def discard() -> None:
    """Drops what could not be written, so that the interpreter does not try it again at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def to_terminal() -> bool:
    """Whether people read standard output on a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def read_input() -> bytes:
    """All of standard input. Raises StreamError."""
    if sys.stdin is None:
        raise StreamError("standard input is closed", cure="Name a file, or pipe text in")
    try:
        found = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    except OSError as error:
        raise StreamError("standard input cannot be read", found=error.strerror or str(error)) from error
    return bytes(found)


def prepare() -> None:
    """What a process of ours does first with its streams.

    A number among 0, 1, 2 that is free would be given to the next file opened, and what a plugin prints would
    land in that file. Output must not fail for characters that a terminal's encoding does not have.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
