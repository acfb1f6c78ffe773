"""Image: what a file is, known from its bytes alone."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.image.walk import Step

__all__ = ["File", "Image", "Machine", "Misfit", "this_machine"]


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes, read once."""

    #: Absolute path, or the name that stands for it in messages.
    path: str
    #: Empty in what :meth:`Image.without_bytes` returns.
    data: bytes = field(repr=False, compare=False)
    #: SHA-256 of `data`, in hexadecimal.
    digest: str
    #: Bytes of the file, even where `data` is gone.
    size: int
    #: Folders and links passed on the way to that descriptor, and last the file; () where that is not known or
    #: was not asked for.
    steps: tuple[Step, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where native code can run."""

    #: "elf", "mach-o" or "pe".
    format: str
    #: "linux", "android", "macos", "ios", "windows", "freebsd", "netbsd", "openbsd", ...
    system: str
    #: "x86_64", "aarch64", "i386", "arm", "riscv64", ... or "machine N" if the number has no name here.
    machine: str
    bits: int
    #: "little" or "big".
    endian: str

    def __str__(self) -> str:
        format_name = {"elf": "ELF", "mach-o": "Mach-O", "pe": "PE"}.get(self.format, self.format)
        order = ", big-endian" if self.endian == "big" else ""
        return f"{format_name} for {self.machine} {self.system}, {self.bits}-bit{order}"


class Misfit(NamedTuple):
    """Why a file cannot be loaded here, whatever it is to be there for."""

    what: str
    expected: str
    found: str
    cure: str


#: Go's build modes of libraries whose runtime is started by the Go program that opens them, and by nothing else: each
#: call from here would wait for that for ever.
_OF_GO_PROGRAMS: Final = frozenset({"plugin", "shared"})
_BUILD_GO: Final = "Build it with go build -buildmode=c-shared"


@dataclass(frozen=True, kw_only=True)  # without slots: see elf_quick.py
class Image:
    r"""What a shared library or executable is and needs, read from its bytes without running it.

    Names that the file gives are text in which bytes that are not UTF-8 stand as ``\xNN``; they can hold
    control characters, so escape them before they reach a terminal.
    """

    #: The bytes that all other fields were read from, and the ones to load.
    file: File
    machine: Machine
    #: "shared library", "executable" or "bundle" (macOS).
    kind: str

    #: Names of defined functions and data that dlsym (GetProcAddress) finds.
    exports: frozenset[str]
    #: Those of `exports` that are data, so must not be called.
    data_exports: frozenset[str] = frozenset()
    #: Names that the dynamic linker looks up elsewhere.
    imports: frozenset[str] = field(default=frozenset(), repr=False)
    #: Libraries that the dynamic linker loads with this one, as the file names them, in its order.
    needed: tuple[str, ...] = ()
    #: Libraries that stand in for it, symbol by symbol, where they have one: those that may be absent (DT_AUXILIARY)
    #: and those that may not (DT_FILTER). glibc's dynamic linker loads them too.
    auxiliaries: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    #: The library's own name for itself (DT_SONAME, LC_ID_DYLIB, the name in the export table), or None.
    soname: str | None = None
    #: Folders where `needed` are looked for, `$ORIGIN` and `@loader_path` not replaced.
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    #: What it needs is not looked for in the system's default folders (`-z nodefaultlib`).
    no_default_folders: bool = False
    #: Symbol versions asked of a library: {"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.34")}.
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False, repr=False)
    #: Symbol versions that it offers to others: "GLIBC_2.36" and so on in the C library.
    defines: frozenset[str] = field(default=frozenset(), repr=False)
    #: The C library: "glibc", "musl", "bionic", "bsd", "ucrt", "msvcrt", or None: none, or not known.
    libc: str | None = None
    #: Least version of the system that the file asks for ("11.0" of macOS, "6.0" of Windows), or None.
    minimum_system: str | None = None

    #: Carries a Go runtime: it starts threads, takes signals, does not survive fork, cannot be unloaded.
    go: bool = False
    #: "go1.22.1" where the file says it.
    go_version: str | None = None
    #: "c-shared", "plugin", ... of Go's -buildmode, where the file shows it.
    go_build_mode: str | None = None
    #: Compilers and linkers that left their names: "GCC: (Debian 12.2.0) 12.2.0", "rustc version 1.80.0 ...".
    compilers: tuple[str, ...] = field(default=(), repr=False)
    #: Sanitizer it was built with: "address", "thread", "memory", "undefined", "leak", "hwaddress" or None.
    sanitizer: str | None = None
    #: GNU build id, Mach-O UUID or PE debug id, in hexadecimal, or None.
    build_id: str | None = None
    #: Has debug information in itself.
    debug: bool = False
    #: Asks for a stack that can be executed.
    executable_stack: bool = False
    #: Code is changed at load time (DT_TEXTREL): needs memory that is writable and executable.
    text_relocations: bool = False
    #: Needs room in the static thread-local block, which can be used up when it is loaded late.
    static_tls: bool = False
    #: Built with `-z nodlopen`: the dynamic linker refuses to load it at run time.
    no_dlopen: bool = False
    #: CPUs of all slices of a universal Mach-O file; the facts here are of the one that `machine` names.
    slices: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Absolute path of the file."""
        return self.file.path

    @property
    def data(self) -> bytes:
        """The file's bytes."""
        return self.file.data

    @property
    def digest(self) -> str:
        """SHA-256 of `data`, in hexadecimal."""
        return self.file.digest

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.file.size

    def without_bytes(self) -> Image:
        """The same facts, for who keeps them longer than the file's bytes are needed."""
        return replace(self, file=replace(self.file, data=b""))

    @property
    def rust(self) -> bool:
        """Built, at least in part, by rustc."""
        return any(name.startswith("rustc") for name in self.compilers)

    @property
    def musl(self) -> bool:
        """Built against the C library musl."""
        return self.libc == "musl"

    def mismatch(self) -> str | None:
        """Why this process cannot load the file, as a phrase that says what the file is, or None if it can.

        Compares format, system, CPU, pointer size, byte order and kind; not what it needs (see needs.py).
        """
        misfit = self.misfit()
        return None if misfit is None else misfit.found

    def misfit(self) -> Misfit | None:
        """The same with what would be right, and the cure."""
        here, what = this_machine(), "cannot run here"
        if self.machine is not here and self.machine != here:  # mostly it is the very same
            return Misfit(what, str(here), str(self.machine), f"Build it for {here.machine} {here.system}")
        if self.kind == "executable":
            cure = "Name the plugin; if this is to be one, link it with -shared only"
            return Misfit("is a program and not a plugin", str(here), "an executable, not a shared library", cure)
        if self.no_dlopen:
            found = "a library built with -z nodlopen, which may not be loaded at run time"
            return Misfit(what, str(here), found, "Link it without -z nodlopen")
        if self.go_build_mode in _OF_GO_PROGRAMS:
            found = f"a Go library built with -buildmode={self.go_build_mode}, which only a program in Go can start"
            return Misfit(what, "a library that starts its Go runtime itself", found, _BUILD_GO)
        return None


#: Names that operating systems have for CPUs, where they differ from ours.
CPU_NAMES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "i486": "i386",
    "i586": "i386",
    "i686": "i386",
    "x86": "i386",
}


@functools.cache
def this_machine() -> Machine:
    """What this process can load."""
    bits = 64 if sys.maxsize > 1 << 32 else 32
    if sys.platform == "win32":
        # The version text names the CPU that this Python was built for; the environment names the system's.
        text = sys.version.lower()
        cpu = next((name for name in ("amd64", "arm64") if name in text), "x86")
    else:
        cpu = os.uname().machine.lower()
    machine = CPU_NAMES.get(cpu, cpu)
    if machine.startswith("armv"):
        machine = "arm"
    if bits == 32:  # a 32-bit process under a 64-bit kernel, which uname tells about
        machine = {"x86_64": "i386", "aarch64": "arm"}.get(machine, machine)
    platform = sys.platform
    if hasattr(sys, "getandroidapilevel"):
        platform = "android"
    systems = {"darwin": ("mach-o", "macos"), "win32": ("pe", "windows"), "cygwin": ("pe", "windows")}
    format_name, system = systems.get(platform, ("elf", platform.rstrip("0123456789")))
    return Machine(format=format_name, system=system, machine=machine, bits=bits, endian=sys.byteorder)


this_machine()  # now: every load asks, and the system's word takes longer than the rest of a small file's handshake
