"""What C's types are on this machine: sizes and signs. 64-bit only, as the base ABI is. And the name under which what
a header says here is cached.

Only `long` (4 bytes on Windows) and plain `char` (unsigned on most other CPUs than x86) differ from machine
to machine; varies() knows them.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

__all__ = [
    "BUILTIN",
    "CHAR_IS_SIGNED",
    "LONG_SIZE",
    "TARGET",
    "BuiltinType",
    "cache_name",
    "integer_type",
    "varies",
]

LONG_SIZE = 4 if sys.platform == "win32" else 8
CHAR_IS_SIGNED = sys.platform in ("win32", "darwin") or os.uname().machine in ("x86_64", "amd64", "i686")

#: Names this machine as far as the meaning of a header depends on it.
TARGET = f"{sys.platform}-long{LONG_SIZE}-{'signed' if CHAR_IS_SIGNED else 'unsigned'}"


class BuiltinType(NamedTuple):
    """As loader.contract.header.syntax.Type, without the parts that only made types have."""

    what: str
    size: int = 0
    signed: bool = False


def _signed(size: int) -> BuiltinType:
    return BuiltinType("integer", size, True)


def _unsigned(size: int) -> BuiltinType:
    return BuiltinType("integer", size, False)


#: Types that the known headers declare.
BUILTIN: dict[str, BuiltinType] = {
    **{f"{least}{bits}_t": _signed(bits // 8) for least in ("int", "int_least") for bits in (8, 16, 32, 64)},
    **{f"{least}{bits}_t": _unsigned(bits // 8) for least in ("uint", "uint_least") for bits in (8, 16, 32, 64)},
    **dict.fromkeys(("intptr_t", "intmax_t", "ptrdiff_t", "ssize_t"), _signed(8)),
    **dict.fromkeys(("uintptr_t", "uintmax_t", "size_t"), _unsigned(8)),
    "bool": _unsigned(1),
    **{
        f"loader_{sign}{bits}s": BuiltinType("numbers", bits // 8, sign == "i")
        for sign in "iu"
        for bits in (8, 16, 32, 64)
    },
    "loader_f32s": BuiltinType("numbers", 4, True),
    "loader_f64s": BuiltinType("numbers", 8, True),
    "loader_texts": BuiltinType("texts", 16),
    "loader_tensor": BuiltinType("tensor", 48),
    "loader_arrow": BuiltinType("arrow", 16),
    "loader_text": BuiltinType("text", 16),
    "loader_bytes": BuiltinType("bytes", 16),
    "loader_call": BuiltinType("call", 48),
    "loader_host": BuiltinType("other", 56),
}

_WORDS: dict[tuple[str, ...], BuiltinType] = {
    ("char",): BuiltinType("integer", 1, CHAR_IS_SIGNED),
    ("char", "signed"): _signed(1),
    ("char", "unsigned"): _unsigned(1),
    ("_Bool",): _unsigned(1),
    ("short",): _signed(2),
    ("int",): _signed(4),
    ("long",): _signed(LONG_SIZE),
    ("long", "long"): _signed(8),
    ("float",): BuiltinType("float", 4),
    ("double",): BuiltinType("double", 8),
}


def integer_type(words: list[str]) -> BuiltinType | None:
    """The type that the key words of C name together, in any order; None: none that has a kind here."""
    rest = sorted(words)
    if tuple(rest) in _WORDS:
        return _WORDS[tuple(rest)]
    signs = [word for word in rest if word in ("signed", "unsigned")]
    base = [word for word in rest if word not in signs and (word != "int" or len(rest) == 1)]
    found = _WORDS.get(tuple(base) or ("int",))
    if found is None or found.what != "integer" or len(signs) > 1 or base in (["char"], ["_Bool"]):
        return None
    return found._replace(signed=signs != ["unsigned"])


def varies(spelled: str) -> str | None:
    """What to write instead of an integer type of C that is not the same on all machines; None: it is the same."""
    words = spelled.split()
    signed = "unsigned" not in words
    if words.count("long") == 1 and "double" not in words:
        return "int64_t or int32_t" if signed else "uint64_t or uint32_t"
    return "int8_t or uint8_t" if "char" in words and not {"signed", "unsigned"} & set(words) else None


def cache_name(digest: str) -> str:
    """The cache's file for a header of this digest. It names the rules too, the code that makes the values and the
    fingerprint, by its files' sizes and times: older rules may have been wrong.
    """
    return f"{digest}-{_rules()}-{TARGET}.json"


def _rules() -> str:
    folder = os.path.dirname(__file__)
    states = []
    try:
        for each in (folder, os.path.dirname(folder)):
            with os.scandir(each) as entries:
                states += sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(".py"))
    except OSError:  # in an archive
        return "packed"
    from hashlib import sha256  # noqa: PLC0415 - slow to import

    return sha256(repr([(name, s.st_size, s.st_mtime_ns) for name, s in states]).encode()).hexdigest()[:8]
