"""Which files a contract's header is made of: each read once, bounded, with one digest over them all.

The files are found by looking for `#include` lines in their text, also those that the preprocessor will skip.
So the digest covers whatever the contract can depend on, and is known without preprocessing anything; the
preprocessor in turn reads no file that is not covered.
"""

# Importing pathlib or hashlib costs more than all else here.
# ruff: noqa: PLC0415

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from loader.contract.header.refusal import refusal
from loader.errors import ContractNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loader.errors import ContractError

__all__ = ["BASE_HEADER", "Files", "gather"]

#: The header of the base ABI. It is known and not read: its types and macros are built in.
BASE_HEADER = "loader/plugin.h"

# A contract is a page or two of C. The limits keep a wrong file name from costing minutes.
MAX_BYTES = 1 << 20  # of all files together
MAX_FILES = 64
MAX_INCLUDES = 512  # lines that include something

# Standard headers in quotes: C falls back to the system's for these, so they need no file.
_STANDARD = frozenset(
    (
        *("assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "math.h", "stdalign.h", "stdarg.h"),
        *(
            "stdbool.h",
            "stddef.h",
            "stdint.h",
            "stdio.h",
            "stdlib.h",
            "stdnoreturn.h",
            "string.h",
            "sys/types.h",
        ),
    )
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*("[^"\n]+"|<[^>\n]+>)', re.MULTILINE)


#: How ELF, Mach-O (both byte orders, fat too), PE and archives begin.
_COMPILED = (
    *(b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    *(b"\xca\xfe\xba\xbe", b"MZ\x90\0", b"!<arch>\n"),
)


class Files(NamedTuple):
    """The header and everything it may include.

    header: path of the header. texts: path → text, every newline a line feed. includes: (path of the
    including file, name as it is spelled with its quotes) → path, or None for a known header, which is not
    read; a name that was looked for and not found is missing. digest: SHA-256 over all bytes, hexadecimal.
    """

    header: str
    texts: dict[str, str]
    includes: dict[tuple[str, str], str | None]
    digest: str


def gather(path: str | os.PathLike[str], include: Sequence[str | os.PathLike[str]] = ()) -> Files:
    """Reads the header at `path` and, in turn, what it includes.

    Quoted names are looked for beside the including file, then in the folders `include`; names in angle
    brackets in `include` only, and are otherwise the system's, which are not read.

    Raises:
        ContractError: a file cannot be read, is too large or is not UTF-8, or there are too many.
        ContractNotFound: the header is not there.
    """
    from hashlib import sha256

    header = os.fspath(path)
    folders = [os.fspath(folder) for folder in include]
    texts: dict[str, str] = {}
    includes: dict[tuple[str, str], str | None] = {}
    digest = sha256()
    waiting: list[tuple[str, str, int | None]] = [(header, header, None)]  # and where it is included
    size = 0
    while waiting:
        name, includer, line = waiting.pop(0)
        if name in texts:
            continue
        if len(texts) == MAX_FILES:
            raise refusal(includer, line, f"more than {MAX_FILES} files", cure="Include fewer headers")
        content = _read(name)
        size += len(content)
        if size > MAX_BYTES:
            reason, cure = f"more than {MAX_BYTES} bytes in all", "Include fewer headers"
            raise refusal(includer, line, reason, cure=cure)
        if content.startswith(_COMPILED):
            raise _compiled(name)
        digest.update(b"%d:" % len(content) + content)
        texts[name] = _decode(name, content)
        for line, spelled in _included(texts[name]):
            if (name, spelled) in includes:
                continue
            if len(includes) == MAX_INCLUDES:
                raise refusal(name, line, f"more than {MAX_INCLUDES} includes", cure="Include fewer headers")
            if _is_known(spelled):
                includes[name, spelled] = None
                continue
            target = _find(name, spelled, folders)
            digest.update(b"+" if target else b"-")  # whether a file is there is part of what was read
            if target is not None:
                includes[name, spelled] = target
                waiting.append((target, name, line))
            elif spelled[0] == "<" or spelled[1:-1] in _STANDARD:
                includes[name, spelled] = None
    return Files(header, texts, includes, digest.hexdigest())


def _compiled(path: str) -> ContractError:
    """The error for a plugin, or another binary file, in the place of its header."""
    from loader.cures import near_file

    near = near_file(f"{os.path.splitext(path)[0]}.h", endings=(".h", ".hpp"))
    cure = "Name the C header that it was compiled with"
    if near not in (None, os.path.basename(path)):
        cure += f". Did you mean {near}?"
    return refusal(path, None, "a compiled file, which is no header", cure=cure)


def _included(text: str) -> Iterator[tuple[int, str]]:
    """Each include in a text: its line, and the name with its quotes."""
    joined = text.replace("\\\n", "\v")  # as white space; one character less for each line
    line, seen = 1, 0
    for match in _INCLUDE.finditer(joined):
        line += joined.count("\n", seen, match.start()) + joined.count("\v", seen, match.start())
        seen = match.start()
        yield line, match[1]


def is_base(spelled: str) -> bool:
    """Whether the name of an include, with its quotes, is that of the base ABI's header."""
    return spelled[1:-1] == BASE_HEADER or spelled[1:-1].endswith("/" + BASE_HEADER)


def _is_known(spelled: str) -> bool:
    return is_base(spelled) or (spelled[0] == "<" and spelled[1:-1] in _STANDARD)


def _find(includer: str, spelled: str, folders: list[str]) -> str | None:
    places = folders if spelled[0] == "<" else [os.path.dirname(includer), *folders]
    for place in places:
        candidate = os.path.normpath(os.path.join(place, spelled[1:-1]))
        if os.path.isfile(candidate):
            return candidate
    return None


def _read(path: str) -> bytes:
    cure = "Name the contract's C header"
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        from loader.cures import file_cure

        what = "this contract header does not exist"
        cure = file_cure(path, error, cure, endings=(".h", ".hpp")) or cure
        raise ContractNotFound(what, path=path, found="no such file", cure=cure) from error
    except IsADirectoryError as error:
        raise refusal(path, None, "a folder", cure=cure) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise refusal(path, None, f"a file that cannot be read ({reason})", cure=cure) from error
    if len(content) > MAX_BYTES:
        line = content.count(b"\n", 0, MAX_BYTES) + 1
        raise refusal(path, line, f"more than {MAX_BYTES} bytes", cure=cure)
    return content


def _decode(path: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refusal(path, line, f"byte {error.start} is not UTF-8", cure="Save the header as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise refusal(path, line, "a NUL character", cure="Name a C header, not a binary file")
    return text.replace("\r\n", "\n").replace("\r", "\n")
