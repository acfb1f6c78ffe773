"""The dynamic linker of this process: which one it is, and what only itself can tell about its search.

glibc's replaces tokens and looks into subfolders for better CPUs, both as it was built and as the CPU is. It says so
when it is asked (LD_DEBUG), which takes a millisecond: only where a file has such tokens, or a folder such
subfolders.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from dataclasses import dataclass
from functools import cache
from typing import Final

__all__ = ["LIBRARY_PATH", "LinkerFacts", "glibc", "here_is_musl", "library_path", "linker_facts"]

#: The variable with folders that come before others.
LIBRARY_PATH: Final = "LD_LIBRARY_PATH"
_MARK: Final = "/@"
#: Folders between which `$LIB` and `$PLATFORM` stand in the question.
_QUESTION: Final = f"{_MARK}/$LIB{_MARK}/$PLATFORM{_MARK}"


@dataclass(frozen=True, slots=True)
class LinkerFacts:
    """What glibc's linker said of itself."""

    #: What `$LIB` and `$PLATFORM` stand for.
    lib: str
    platform: str
    #: Subfolders of each folder in which it looks first, best first, and last "", the folder itself.
    subfolders: tuple[str, ...]


def glibc() -> tuple[int, ...]:
    """The version of glibc that this process runs with, (2, 36); empty if it is another C library."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        return ()
    numbers = re.findall(r"[0-9]{1,9}", text)
    return tuple(int(number) for number in numbers) if text.startswith("glibc") else ()


@cache
def here_is_musl() -> bool:
    """Whether this process runs with musl."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            return any("/ld-musl-" in line or "/libc.musl-" in line for line in file)
    except OSError:
        return False


@cache
def _environment() -> dict[str, str]:
    """The environment as it was when the process started: the linker reads it then, and no later change."""
    try:
        with open("/proc/self/environ", "rb") as file:
            lines = os.fsdecode(file.read()).split("\0")
    except OSError:
        return dict(os.environ)
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, found, value in pairs if found and name}


def library_path() -> tuple[str, ...]:
    """The folders of LD_LIBRARY_PATH, "" for the current one."""
    text = _environment().get(LIBRARY_PATH, "")
    return tuple(re.split("[:;]", text)) if text else ()


@cache
def linker_facts() -> LinkerFacts | None:
    """What the linker says of itself; None if it cannot be asked."""
    import subprocess  # noqa: PLC0415 - seldom wanted, and slow to import

    program = os.path.realpath("/proc/self/exe")
    linker = _interpreter(program)
    if linker is None:
        return None
    environment = {"LD_DEBUG": "libs", LIBRARY_PATH: _QUESTION}
    if "GLIBC_TUNABLES" in _environment():  # may hide abilities of the CPU
        environment["GLIBC_TUNABLES"] = _environment()["GLIBC_TUNABLES"]
    try:
        done = subprocess.run(
            [linker, "--inhibit-cache", "--list", program], env=environment, capture_output=True, check=False,
            stdin=subprocess.DEVNULL, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return _understood(os.fsdecode(done.stdout + done.stderr))


def _understood(text: str) -> LinkerFacts | None:
    line = re.search(r"search path=(\S*)\s+\(LD_LIBRARY_PATH\)", text)
    folders = line[1].split(":") if line is not None else []
    whole = re.fullmatch(f"{_MARK}/(.*){_MARK}/(.*){_MARK}", folders[-1]) if folders else None
    if whole is None or not all(folder.startswith(folders[-1]) for folder in folders):
        return None
    subfolders = [folder[len(folders[-1]) :].strip("/") for folder in folders]
    return LinkerFacts(whole[1], whole[2], tuple(dict.fromkeys(subfolders)))


def _interpreter(program: str) -> str | None:
    """The dynamic linker that a program names (PT_INTERP)."""
    order = "<" if sys.byteorder == "little" else ">"
    try:
        with open(program, "rb") as file:
            head = file.read(4096)
            wide = head[4] == 2
            (table,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
            size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
            for number in range(count):
                file.seek(table + number * size)
                values = struct.unpack_from(order + ("IIQQQQQQ" if wide else "IIIIIIII"), file.read(size))
                if values[0] == 3:
                    file.seek(values[2] if wide else values[1])
                    length = values[5] if wide else values[4]
                    return os.fsdecode(file.read(min(length, 4096)).rstrip(b"\0"))
    except (OSError, struct.error, IndexError):
        pass
    return None
