"""Files that are no image of native code: what they are instead, as a person would say it."""

from __future__ import annotations

import codecs
import os
import re
from typing import Final

from loader.cures import command_line, from_here
from loader.errors import ImageError

#: Thin files of 32 and 64 bits in both byte orders, universal ones with places of 32 and 64 bits.
MACHO_MAGICS: Final = frozenset(
    bytes.fromhex(magic) for magic in ("feedface", "cefaedfe", "feedfacf", "cffaedfe", "cafebabe", "cafebabf")
)
EXPECTED: Final = "a shared library (ELF, Mach-O or PE)"

#: First bytes, what such a file is, and what to do about it.
KINDS: Final[tuple[tuple[bytes, str, str | None], ...]] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Fetch the file: git lfs pull"),
    (b"!<arch>\n", "a static library (.a, .lib)", "Link it as a shared library: cc -shared"),
    (b"!<thin>\n", "a static library (.a)", "Link it as a shared library: cc -shared"),
    (b"/* GNU ld script", "a linker script", "Name the library that the script names"),
    (b"INPUT(", "a linker script", "Name the library that the script names"),
    (b"GROUP (", "a linker script", "Name the library that the script names"),
    (b"--- !tapi-tbd", "a stub library of Apple's linker (.tbd)", None),
    (b"<!DOCTYPE", "a web page", "The download went wrong: fetch the file itself"),
    (b"<html", "a web page", "The download went wrong: fetch the file itself"),
    (b"<?xml", "an XML file", None),
    (b"\xca\xfe\xba\xbe", "a Java class", None),
    (b"\0asm", "a WebAssembly module", "Build it for this machine's CPU"),
    (b"BC\xc0\xde", "LLVM bitcode", "Compile it to a shared library"),
    (b"PK\x03\x04", "a zip archive (or a wheel)", "Unpack it first"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first"),
    (b"BZh", "a bzip2 archive", "Unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive", "Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it first"),
    (b"\x89PNG", "a PNG image", None),
    (b"\xff\xd8\xff", "a JPEG image", None),
    (b"GIF8", "a GIF image", None),
    (b"%PDF", "a PDF document", None),
    (b"SQLite format 3\0", "an SQLite database", None),
)
_COMPILE: Final = '-O2 -shared -fPIC -I"$(loader include-dir)" {file} -o {name}.so'
_C: Final = "C source", f"Compile it: cc {_COMPILE}"
_CPP: Final = "C++ source", f"Compile it: c++ -std=c++17 {_COMPILE}"
_HEADER: Final = "a header", "Name a plugin here, and the contract's header with --contract"
_PYTHON: Final = "a Python file", "Plugins are compiled to native code"
_LIBRARY: Final = "the plugin is target/release/lib….so"
#: Sources, by the end of their names: what they are, and how a plugin is made of one. {file} is its path, {name} that
#: without the ending.
SOURCES: Final[dict[str, tuple[str, str]]] = {
    ".c": _C,
    **dict.fromkeys((".cc", ".cpp", ".cxx"), _CPP),
    **dict.fromkeys((".h", ".hh", ".hpp"), _HEADER),
    **dict.fromkeys((".py", ".pyi"), _PYTHON),
    ".rs": ("Rust source", f'Build its crate, of crate-type "cdylib": cargo build --release; {_LIBRARY}'),
    ".go": ("Go source", "Build its package, in its folder: go build -buildmode=c-shared -o NAME.so ."),
    ".zig": ("Zig source", "Compile it: zig build-lib -dynamic -O ReleaseFast {file}"),
}
#: Files that say how something is built.
BUILDS: Final = {
    "Cargo.toml": f"Build it: cargo build --release; {_LIBRARY}",
    "CMakeLists.txt": 'Build it: cmake -B build -Dloader_DIR="$(loader cmake-dir)" && cmake --build build',
    "Makefile": "Build it: make",
    "go.mod": "Build it: go build -buildmode=c-shared -o NAME.so .",
}
#: A line by which C is known whatever the file's name is: of a compiler's -o, say.
INCLUDE: Final = re.compile(rb"^[ \t]*#[ \t]*include[ \t]+[<\"]", re.MULTILINE)
#: Longest piece of a text file that a message shows, in characters.
SHOWN: Final = 40


def is_universal(data: bytes) -> bool:
    """Whether it is a universal Mach-O file.

    Java's class files begin alike, with their version (45 and up) where the number of slices stands.
    """
    return data[:4] in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf") and int.from_bytes(data[4:8], "big") < 45


def refusal(path: str, data: bytes) -> ImageError:
    """The error for a file of a format that is not read."""
    kind, found, cure = _describe(path, data)
    return ImageError(f"is {kind}", path=path, expected=EXPECTED, found=found, cure=cure)


def _describe(path: str, data: bytes) -> tuple[str, str, str | None]:
    """What the file is, what was seen of it, and the cure."""
    if not data:
        return "empty", "0 bytes", "Copy or build the file again"
    if not any(data[:4096]):
        return "damaged", "only zeros", "Copy or build the file again"
    for magic, kind, cure in KINDS:
        if data.startswith(magic):
            return kind, kind, cure
    begin = data[:1024]
    if begin.startswith(b"#!"):
        return "a script", f"text that begins with {_first_line(begin)}", None
    if _is_text(begin):
        kind, cure = _text(path, begin)
        return kind, f"text that begins with {_first_line(begin)}", cure
    if data[2:4] == b"\r\n" and path.endswith(".pyc"):
        return "compiled Python", "a .pyc file", None
    return "not a shared library", f"a file that begins with the bytes {data[:8].hex(' ')}", None


def _text(path: str, begin: bytes) -> tuple[str, str | None]:
    """What a text file is, and the cure: a source is to be compiled."""
    file = from_here(path)
    name, ending = os.path.splitext(file)
    if os.path.basename(file) in BUILDS:
        return "a file to build plugins from", BUILDS[os.path.basename(file)]
    if ending.lower() not in SOURCES and INCLUDE.search(begin):
        return _C[0], _C[1].format(file="SOURCE.c", name="NAME")
    if ending.lower() not in SOURCES:
        return "a text file", None
    kind, cure = SOURCES[ending.lower()]
    return kind, cure.format(file=command_line(file), name=command_line(name))


def _is_text(begin: bytes) -> bool:
    """Whether it is UTF-8 without the control characters that text does not have."""
    try:
        text, _ = codecs.utf_8_decode(begin, "strict", False)  # the last character may be cut in two
    except UnicodeDecodeError:
        return False
    return all(character >= " " or character in "\t\n\r\f\v\x1b" for character in text)


def _first_line(begin: bytes) -> str:
    lines = begin.decode("utf-8", "replace").strip().splitlines() or [""]
    return repr(lines[0][:SHOWN] + ("…" if len(lines[0]) > SHOWN else ""))
