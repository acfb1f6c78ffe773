"""Documents on disk: which input goes to which output, and outputs that are whole or not there.

Everything about the command line's files is decided before the first of them is read: an output that would
overwrite an input, or two inputs for one output, are found while nothing has been written.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loader.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["SUFFIXES", "Document", "DocumentError", "OutputError", "PlanError", "Writer", "plan"]

#: Endings of the files in a folder that are documents.
SUFFIXES = (".txt", ".rst", ".md", ".text")
STANDARD = "-"  # on the command line: standard input or output
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class PlanError(LoaderError):
    """The inputs and outputs that were named do not go together."""

    exit_code = 2


class DocumentError(LoaderError):
    """A document is not there or cannot be read."""

    exit_code = 3


class OutputError(LoaderError):
    """An output cannot be written; what was there before is as it was."""


@dataclass(frozen=True, slots=True)
class Document:
    """One input and its output. None stands for standard input and standard output."""

    source: Path | None
    target: Path | None

    @property
    def name(self) -> str:
        """The input, for messages."""
        return "standard input" if self.source is None else str(self.source)

    def read(self) -> bytes:
        """The bytes of a source that is a file. Raises DocumentError."""
        try:
            return Path(self.name).read_bytes()
        except OSError as error:
            raise _unreadable(self.name, error) from error
        except MemoryError:
            raise DocumentError("is too large for the memory there is", path=self.name) from None


# ---- Which input goes where --------------------------------------------------------------------------------


def plan(inputs: Sequence[str], output: str | None, suffixes: Sequence[str] = SUFFIXES) -> list[Document]:
    """The documents that a command line names, in its order; those of a folder by name, subfolders last.

    A folder's documents are the files below it that end in one of `suffixes`. Links to folders, and what
    begins with a dot, are left out. They go below the output folder as they lie below theirs, as .html.

    Args:
        inputs: files and folders; "-" or none at all: standard input.
        output: a file or, for several documents, a folder; None or "-": standard output.

    Raises:
        PlanError: they do not go together; nothing was written yet.
        DocumentError: there is no such file, or no document in a folder.
    """
    to = None if output in (None, STANDARD) else Path(str(output))
    if not inputs or list(inputs) == [STANDARD]:
        if to is not None and _is_folder(str(output)):
            raise PlanError("is a folder, and standard input has no name for a file in it", path=output)
        documents = [Document(None, to)]
    elif STANDARD in inputs:
        raise PlanError("standard input is for one document only", cure="Leave out -, or everything else")
    else:
        sources = list(_sources(inputs, to, suffixes))
        documents = _with_targets(sources, inputs, output, suffixes)
    _check(documents)
    return documents


def _is_folder(path: str) -> bool:
    return path.endswith(("/", os.sep)) or Path(path).is_dir()


def _sources(inputs: Iterable[str], output: Path | None, suffixes: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """Each document and its place below the output folder, not yet with its ending."""
    for name in inputs:
        path = Path(name)
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            raise _unreadable(name, error) from error
        if not stat.S_ISDIR(mode):
            yield path, Path(path.name)
            continue
        found = list(_documents_in(path, output, tuple(suffixes)))
        if not found:
            expected = f"files that end in {', '.join(suffixes)}"
            raise DocumentError("has no documents", path=name, expected=expected, cure="Say --suffix")
        for document in found:
            yield document, document.relative_to(path)


def _documents_in(folder: Path, output: Path | None, suffixes: tuple[str, ...]) -> Iterator[Path]:
    outputs = None if output is None else output.resolve()
    for where, folders, names in os.walk(folder, onerror=_stop):
        here = Path(where)
        # In place, so that os.walk does not go there. The output folder may lie within: it holds no inputs.
        folders[:] = sorted(
            each for each in folders if not each.startswith(".") and (here / each).resolve() != outputs
        )
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(suffixes):
                yield here / name


def _stop(error: OSError) -> None:
    raise _unreadable(str(error.filename), error)


def _unreadable(path: str, error: OSError | ValueError) -> DocumentError:
    """`error` is a ValueError for a path with a NUL."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return DocumentError(f"cannot be read: {reason}", path=path)


def _with_targets(
    sources: Sequence[tuple[Path, Path]], inputs: Sequence[str], output: str | None, suffixes: Sequence[str]
) -> list[Document]:
    one = len(inputs) == 1 and not Path(inputs[0]).is_dir()
    if one and (output is None or output == STANDARD):
        return [Document(sources[0][0], None)]
    if one and output is not None and not _is_folder(output):
        return [Document(sources[0][0], Path(output))]
    if output is None or output == STANDARD:
        raise PlanError("several documents need a folder for their output", cure="Name one with -o")
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise PlanError("is a file", path=output, expected="a folder for several documents")
    return [Document(source, folder / _html(place, suffixes)) for source, place in sources]


def _html(place: Path, suffixes: Sequence[str]) -> Path:
    """The name with .html: in the place of an ending that documents have, else behind all of it."""
    known = place.suffix.lower() in {*SUFFIXES, *suffixes}
    return place.with_name((place.stem if known else place.name) + ".html")


def _check(documents: list[Document]) -> None:
    """Raises PlanError if an output would overwrite an input or another output; drops what is named twice."""
    inputs = {_identity(document.source): document.name for document in documents}
    inputs.pop(None, None)
    taken: dict[str, Document] = {}
    for document in list(documents):
        if document.target is None:
            continue
        overwritten = inputs.get(_identity(document.target))
        if overwritten is not None:
            raise PlanError(
                f"its output {document.target} would overwrite the input {overwritten}",
                path=document.name,
                cure="Name another output with -o",
            )
        other = taken.setdefault(os.path.normcase(document.target.resolve()), document)
        if other is document:
            continue
        if _identity(other.source) != _identity(document.source):
            raise PlanError(
                f"would have the same output {document.target} as {other.name}",
                path=document.name,
                cure="Rename one of them, or turn them into HTML one by one",
            )
        documents.remove(document)


def _identity(path: Path | None) -> tuple[int, int] | None:
    """What tells one plain file from another, whatever its names; None if it is none."""
    try:
        found = os.fstat(0) if path is None else path.stat()
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


# ---- Writing -----------------------------------------------------------------------------------------------


class Writer:
    """Writes outputs whole or not at all, from several threads.

    The bytes go to a temporary file in the same folder, which then takes the output's name in one step. There
    is no fsync: after a power failure an output may be missing, and can be made again from its input.
    """

    def __init__(self) -> None:
        self._prefix = f".htmlize-{os.getpid()}-{secrets.token_hex(4)}-"
        self._numbers = itertools.count()

    def write(self, target: Path, html: bytes) -> None:
        """Writes one output; folders above it are made. An output that was there keeps its mode.

        A symbolic link stays, and what it leads to is replaced. Devices and pipes are written to.
        Raises OutputError.
        """
        try:
            self._write(target.resolve(), html)
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise OutputError(f"cannot be written: {reason}", path=str(target)) from error

    def _write(self, target: Path, html: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            before: os.stat_result | None = target.stat()
        except FileNotFoundError:
            before = None
        if before is not None and not stat.S_ISREG(before.st_mode):
            target.write_bytes(html)  # there is nothing to replace in /dev/null or a pipe
            return
        effective = os.access in os.supports_effective_ids
        if before is not None and not os.access(target, os.W_OK, effective_ids=effective):
            raise PermissionError(errno.EACCES, "it is write-protected")  # replacing it would get round that
        temporary = target.with_name(f"{self._prefix}{next(self._numbers)}.part")
        descriptor = os.open(temporary, _NEW, 0o666)  # less the umask, as for any new file
        try:
            with open(descriptor, "wb") as file:
                file.write(html)
                if before is not None and hasattr(os, "fchmod"):
                    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def sweep(self, documents: Iterable[Document]) -> None:
        """Removes what a process that was killed left of its temporary files."""
        folders = {document.target.resolve().parent for document in documents if document.target is not None}
        for folder in folders:
            with contextlib.suppress(OSError):
                for path in folder.glob(f"{self._prefix}*.part"):
                    path.unlink()
