"""Code that was built with a sanitizer: whether the run time that it needs first is in this process.

Loaded late, most of these run times end the process, from inside dlopen, where nobody can catch it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from loader.image.image import Image

__all__ = ["RULE", "is_run_time", "lacks_runtime", "sanitizer_cure"]

#: What is said of such a file: what is wrong, and what would be right.
RULE: Final = (
    "was built with a sanitizer, whose run time must be loaded first or ends the process",
    "no sanitizer, or its run time preloaded",
)
#: By sanitizer: the shared run time of GCC, and that of clang where it is the better one for clang's code.
_RUN_TIMES: Final = {
    "address": ("libasan.so", "libclang_rt.asan-{}.so"),
    "hwaddress": ("libhwasan.so", "libclang_rt.hwasan-{}.so"),
    "thread": ("libtsan.so", None),
    "leak": ("liblsan.so", None),
    "undefined": ("libubsan.so", "libclang_rt.ubsan_standalone-{}.so"),
}
#: What must be said to those that look for leaks: Python leaves some at its end, for which they end it with an error.
_LEAKS: Final = {
    "address": "ASAN_OPTIONS=detect_leaks=0",
    "hwaddress": "HWASAN_OPTIONS=detect_leaks=0",
    "leak": "LSAN_OPTIONS=exitcode=0",
}
#: By sanitizer: what a process has in which the run time is there.
_SIGNS: Final = {
    "address": "__asan_init",
    "hwaddress": "__hwasan_init",
    "thread": "__tsan_init",
    "memory": "__msan_init",
    "leak": "__lsan_init",
    "undefined": "__ubsan_handle_type_mismatch_v1",
}


def lacks_runtime(image: Image) -> bool:
    """Whether a file was built with a sanitizer whose run time must be there first and is not in this process.

    The run time of "undefined" may come late: it is lacking only if the file does not bring it along.
    """
    sign = _SIGNS.get(image.sanitizer or "")
    if sign is None or sys.platform == "win32":  # there it is a DLL like others
        return False
    if image.sanitizer == "undefined" and not _needs_it(image):
        return False
    from loader._core._ffi import lib  # noqa: PLC0415 - most files have no sanitizer

    return not lib.library_is_global(sign.encode())


def is_run_time(image: Image) -> bool:
    """Whether a library is a sanitizer's run time, which must be in the process from the start."""
    return not image.exports.isdisjoint(_SIGNS.values())


def sanitizer_cure(image: Image) -> str:
    """How to load a file that `lacks_runtime`."""
    kind = image.sanitizer or ""
    if kind not in _RUN_TIMES:  # MemorySanitizer's cannot be preloaded: all of Python would have to be built with it
        return "Build it without"
    library, of_clang = _RUN_TIMES[kind]
    compiler = "cc"
    if of_clang is not None and any("clang version" in each for each in image.compilers):
        compiler, library = "clang", of_clang.format(image.machine.machine)
    options = " ".join(filter(None, (_LEAKS.get(kind), f"LD_PRELOAD=$({compiler} -print-file-name={library})")))
    return f"Build it without, or start Python with {options}"


def _needs_it(image: Image) -> bool:
    """Whether calls of UBSan are to be found elsewhere, and in no library that the file names: clang does so."""
    calls = any(name.startswith("__ubsan_handle_") for name in image.imports)
    return calls and not any("san" in name for name in image.needed)
