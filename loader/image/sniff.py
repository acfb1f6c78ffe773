"""Files that are no image of native code: what they are instead, as a person would say it."""

from __future__ import annotations

from typing import Final

from loader.errors import ImageError

ELF_MAGIC: Final = b"\x7fELF"
EXPECTED: Final = "a shared library (ELF, Mach-O or PE)"

#: First bytes, what such a file is, and what to do about it.
KINDS: Final[tuple[tuple[bytes, str, str | None], ...]] = (
    (b"#!", "a script", None),
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
#: Longest piece of a text file that a message shows, in characters.
SHOWN: Final = 40


def refusal(path: str, data: bytes) -> ImageError:
    """The error for a file of a format that is not read."""
    if not data:
        return ImageError(
            "is empty", path=path, expected=EXPECTED, found="0 bytes", cure="Copy or build the file again"
        )
    for magic, kind, cure in KINDS:
        if data.startswith(magic):
            shown = f"{kind} that begins with {_first_line(data)}" if magic == b"#!" else kind
            return ImageError(f"is {kind}", path=path, expected=EXPECTED, found=shown, cure=cure)
    if _is_text(data):
        kind = "a Python file" if path.endswith((".py", ".pyi")) else "a text file"
        return ImageError(
            f"is {kind}", path=path, expected=EXPECTED, found=f"text that begins with {_first_line(data)}"
        )
    if data[2:4] == b"\r\n" and path.endswith(".pyc"):
        return ImageError("is compiled Python", path=path, expected=EXPECTED, found="a .pyc file")
    if not any(data[:4096]):
        return ImageError(
            "is damaged", path=path, expected=EXPECTED, found="only zeros", cure="Copy or build the file again"
        )
    shown = data[:8].hex(" ")
    return ImageError("is not a shared library", path=path, expected=EXPECTED, found=f"a file that begins {shown}")


def _is_text(data: bytes) -> bool:
    """Whether the first kilobyte is UTF-8 without control characters that text does not have."""
    head = data[:1024]
    text = head.decode("utf-8", "replace").rstrip("\ufffd")  # the cut may split a character
    return "\ufffd" not in text and not any(c < " " and c not in "\t\n\r\f\v\x1b" for c in text) and text != ""


def _first_line(data: bytes) -> str:
    text = data[:1024].decode("utf-8", "replace").splitlines()[0].strip() if data.strip() else ""
    return repr(text[:SHOWN] + ("…" if len(text) > SHOWN else ""))
