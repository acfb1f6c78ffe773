"""What would go wrong if a file were loaded here, found without loading it, each with its cure.

The handshake refuses what can never work; this looks further, at what the file needs of the machine. It reads
the libraries that it needs, so it takes some milliseconds each: for `loader doctor`, not for every load.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from loader._core._ffi import lib
from loader.cures import SYMBOL_CURE, version_cure
from loader.errors import ImageError, LibraryError, LoaderError
from loader.image.closure import JUDGEABLE, closure_of
from loader.image.image import this_machine
from loader.image.linker import glibc, here_is_musl
from loader.image.missing import missing_libraries, not_usable
from loader.image.read import read_image, read_library
from loader.image.sanitizer import RULE, is_run_time, lacks_runtime, sanitizer_cure
from loader.image.search import lies_beside
from loader.image.static_tls import static_tls_of, static_tls_room
from loader.image.undefined import undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from loader.image.closure import Closure, Member
    from loader.image.image import Image, Machine

__all__ = ["Finding", "libraries", "problems", "second_go"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands in the way, told like an error: what, expected, found, cure."""

    what: str
    expected: str
    found: str
    cure: str
    #: Loading will fail; otherwise it may, or harm comes later.
    fatal: bool = True

    @classmethod
    def of(cls, error: LoaderError, *, fatal: bool = True) -> Finding:
        """What an error says that stops a load."""
        return cls(error.what, error.expected or "", error.found or "", error.cure or "", fatal)

    def error(self, path: str) -> LibraryError:
        """The same as the error that a load of the file would end with."""
        return LibraryError(self.what, path=path, expected=self.expected, found=self.found, cure=self.cure)

    def __str__(self) -> str:
        return f"{self.what}; expected {self.expected}, found {self.found}. {self.cure}"


def problems(image: Image, *, read: Callable[[str], Image] = read_library) -> tuple[Finding, ...]:
    """What stands in the way of loading `image` in this process; empty if nothing is known to.

    Libraries and versions are looked for where the file is ELF, and so is this process. A library that this
    process has loaded already serves too, wherever it is; that is not asked, so that the answer is the same
    for every process. `read`: how a library is read; for several files one that remembers.
    """
    return tuple(_problems(image, read))


def libraries(image: Image) -> tuple[Member, ...]:
    """All libraries that would be loaded with an ELF file, directly or not, in the dynamic linker's order."""
    return closure_of(image).members if image.machine.format == "elf" else ()


def _read(path: str | None) -> Image | None:
    try:
        return None if path is None else read_image(path)
    except LoaderError:
        return None


def _problems(image: Image, read: Callable[[str], Image]) -> Iterator[Finding]:
    misfit = image.misfit()
    if misfit is not None:
        yield Finding(*misfit)
        if image.machine != this_machine() and image.needed:
            yield _elsewhere(image)
        return
    if image.machine.format == "elf":
        closure = closure_of(image, read=read)
        loaded = closure.members
        yield from _c_library(image)
        yield from _missing(image, loaded)
        yield from _misfits(loaded)
        yield from _doubtful(closure)
        yield from _versions(image, loaded)
        yield from _undefined(image, loaded)
        yield from _static_tls(image, loaded)
        yield from _sanitized(image, loaded)
    yield from _flags(image)


def second_go(images: Iterable[Image]) -> Iterator[tuple[Image, Finding]]:
    """Those of several files that would be a second Go runtime if all were loaded in one process.

    Files for different machines are not; the same bytes are loaded once, whatever they are called.
    """
    firsts: dict[Machine, Image] = {}
    for image in images:
        first = firsts.setdefault(image.machine, image) if image.go else image
        if image.digest == first.digest:
            continue
        yield (
            image,
            Finding(
                "would be the second Go runtime in one process, which Go does not support: it may work, "
                "crash or hang (golang/go#65050, #18976), and a strict host refuses it",
                "at most one file with a Go runtime",
                f"{image.go_version or 'one more'} beside {first.go_version or 'that'} of {first.path}",
                "Build all that is written in Go into one plugin, or load it in a process of its own",
                fatal=False,
            ),
        )


def _elsewhere(image: Image) -> Finding:
    """What a file for another machine needs. Only what lies beside it can be seen here."""
    beside = [name for name in image.needed if lies_beside(name, image)]
    others = [name for name in image.needed if name not in beside]
    found = ", ".join(others) if others else "none besides those"
    return Finding(
        "needs libraries that cannot be looked up on this machine",
        f"each of them on the {image.machine.system} machine that it is for"
        + (f" (beside the file: {', '.join(beside)})" if beside else ""),
        found,
        f"Run loader doctor there, or see that each comes with {image.machine.system} or the plugin",
        fatal=False,
    )


def _c_library(image: Image) -> Iterator[Finding]:
    """Two C libraries in one process cannot work, also where both are installed."""
    ours = "glibc" if glibc() else "musl" if here_is_musl() else None
    if ours is not None and image.libc not in (ours, None):
        target = f"{image.machine.machine}-linux-{'gnu' if ours == 'glibc' else 'musl'}"
        yield Finding(
            "was built for another C library",
            ours,
            str(image.libc),
            f"Build it here, or with zig cc -target {target}",
        )


def _missing(image: Image, loaded: tuple[Member, ...]) -> Iterator[Finding]:
    for error in missing_libraries(image, loaded):
        yield Finding.of(error)
    for library in loaded:
        if library.error is not None and library.kind == "auxiliary":
            yield Finding.of(not_usable(image, library), fatal=False)


def _misfits(loaded: tuple[Member, ...]) -> Iterator[Finding]:
    """Libraries in Go that are loaded well and hang when they are called."""
    for member in loaded:
        misfit = member.image.misfit() if member.image is not None and member.image.go else None
        if misfit is not None:
            yield Finding(f"needs the library {member.name}, which {misfit.what}", *misfit[1:])


def _doubtful(closure: Closure) -> Iterator[Finding]:
    """Ways to libraries that a policy refuses."""
    for doubt in closure.doubts:
        who = "" if doubt.path == closure.image.path else f"needs {os.path.basename(doubt.path)}, which "
        yield Finding(
            f"{who}finds libraries in a way that every policy refuses",
            JUDGEABLE,
            doubt.found,
            doubt.cure,
            fatal=False,
        )


def _versions(image: Image, loaded: tuple[Member, ...]) -> Iterator[Finding]:
    """Symbol versions that a library found here does not define."""
    offered = {library.name: library.image for library in loaded}
    needing = [image, *(library.image for library in loaded if library.image is not None)]
    for each in needing:
        for name, versions in each.versions.items():
            library = offered.get(name)
            if library is None or not library.defines:
                continue
            absent = [version for version in versions if version not in library.defines]
            if absent:
                who = "needs" if each is image else f"needs {os.path.basename(each.path)}, which needs"
                yield _version_problem(image, who, library, max(absent, key=_age))


def _version_problem(image: Image, who: str, library: Image, version: str) -> Finding:
    family = version.partition("_")[0]
    newest = max((own for own in library.defines if own.partition("_")[0] == family), key=_age, default="none")
    return Finding(
        f"{who} {version} of {library.soname or library.path}",
        version,
        f"{newest} in {library.path}",
        version_cure(version, library.soname or os.path.basename(library.path), image.machine.machine),
    )


def _age(version: str) -> tuple[bool, tuple[int, ...]]:
    """Orders GLIBC_2.9 before GLIBC_2.36, and before both what names an ability: GLIBC_ABI_DT_X86_64_PLT."""
    return version.partition("_")[2][:1].isdigit(), _numbers(version)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]{1,9}", text))


def _undefined(image: Image, loaded: tuple[Member, ...]) -> Iterator[Finding]:
    """Symbols that nobody defines, of the file and of what lies beside it: other libraries are the system's."""
    ours = tuple(library.image for library in loaded if library.image is not None)
    if len(ours) < len(loaded) or lacks_runtime(image):
        return  # what cannot be read has them, perhaps; a sanitizer's run time is to be preloaded
    folder = os.path.dirname(image.path)
    for each in (image, *(one for one in ours if os.path.dirname(one.path) == folder)):
        try:
            missing = undefined(each, (image, *ours))
            if missing:  # Python's own files are large: they are read where somebody needs them
                program = _program()
                missing = undefined(each, (image, *ours, *program)) if program else []
        except ImageError:  # names of symbols that nothing else looks at; what they are cannot be said
            return
        missing = [name for name in missing if not lib.library_is_global(name.encode())]  # in what was preloaded
        if missing:
            who = "needs" if each is image else f"needs {os.path.basename(each.path)}, which needs"
            shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            yield Finding(
                f"{who} a symbol that no library has: {shown}",
                "each symbol in the file, in a library that it is linked with, or in Python",
                "it in none of them" if len(missing) == 1 else f"{len(missing)} in none of them",
                SYMBOL_CURE,
            )


@cache
def _program() -> tuple[Image, ...]:
    """What this process began with, whose definitions come first; empty if a part of it cannot be read."""
    image = _read(os.path.realpath("/proc/self/exe")) or _read(sys.executable and os.path.realpath(sys.executable))
    if image is None or image.machine.format != "elf":
        return ()
    images = [image, *(library.image for library in libraries(image))]
    return tuple(each for each in images if each is not None) if None not in images else ()


def _static_tls(image: Image, loaded: tuple[Member, ...]) -> Iterator[Finding]:
    """See static_tls.py. A small part of the room is not worth a word: every plugin with Go needs 8 bytes."""
    along = (library.image for library in loaded if library.image is not None)
    several = (image, *(each for each in along if not is_run_time(each)))  # a sanitizer's is there from the start
    sizes = {each.path: size for each in several if (size := static_tls_of(each))}
    total, room = sum(sizes.values()), static_tls_room() if glibc() else 0
    if total <= room // 4:
        return
    others = [os.path.basename(path) for path in sizes if path != image.path]
    cure = "Compile it with -fPIC and without -ftls-model=initial-exec"
    if room:
        cure += f", or start Python with GLIBC_TUNABLES=glibc.rtld.optional_static_tls={total + 512}"
    yield Finding(
        "needs static thread-local storage: where too little is left, dlopen fails "
        '("cannot allocate memory in static TLS block")',
        f"a small part of the {room:,} bytes for all that is loaded at run time" if room else "none with musl",
        f"{total:,} bytes" + (f", with those of {', '.join(others)}" if others else ""),
        cure,
        fatal=total > room,
    )


def _sanitized(image: Image, loaded: tuple[Member, ...]) -> Iterator[Finding]:
    """The first of the files whose sanitizer's run time is not there."""
    for each in (image, *(library.image for library in loaded if library.image is not None)):
        if lacks_runtime(each):
            what, expected = RULE
            who = "" if each is image else f"needs {os.path.basename(each.path)}, which "
            yield Finding(who + what, expected, f"-fsanitize={each.sanitizer}", sanitizer_cure(each))
            return


def _flags(image: Image) -> Iterator[Finding]:
    """What the file asks for that systems may refuse or that does not go well in a process of Python's."""
    if image.executable_stack:
        yield Finding(
            "asks for a stack that can be executed",
            "a stack that cannot",
            "PT_GNU_STACK with execution, or none at all",
            "Link it with -Wl,-z,noexecstack; assembler sources need .section .note.GNU-stack",
            fatal=glibc() >= (2, 41),
        )
    if image.text_relocations:
        yield Finding(
            "changes its own code while it is loaded",
            "position-independent code",
            "text relocations",
            "Compile all of it with -fPIC; hardened systems refuse it",
            fatal=False,
        )
