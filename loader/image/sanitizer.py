"""Code that was built with a sanitizer: whether the run time that it needs first is in this process.

Loaded late, most of these run times end the process, from inside dlopen, where nobody can catch it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from loader.image.image import Image

__all__ = ["BUILD_WITHOUT", "RULE", "lacks_runtime"]

#: What is said of such a file: what is wrong, and what would be right.
RULE: Final = (
    "was built with a sanitizer, whose run time must be loaded first or ends the process",
    "no sanitizer, or its run time preloaded",
)
BUILD_WITHOUT: Final = (
    "Build it without, or start Python with LD_PRELOAD=$(cc -print-file-name=libasan.so) or its like"
)
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


def _needs_it(image: Image) -> bool:
    """Whether calls of UBSan are to be found elsewhere, and in no library that the file names: clang does so."""
    calls = any(name.startswith("__ubsan_handle_") for name in image.imports)
    return calls and not any("san" in name for name in image.needed)
