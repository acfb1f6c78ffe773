"""Makes the cffi module loader._core._ffi: the types of the ABI, and opening libraries.

Compiled out of line, so that using it imports neither cffi's parser nor pycparser (33 to 48 ms).
"""

import re
from pathlib import Path

from cffi import FFI

CORE = Path(__file__).parent
HEADERS = ("library/library.h", "process/process.h")

ffibuilder = FFI()

ffibuilder.cdef(
    """
    typedef struct { const char *data; size_t size; } loader_text;
    typedef struct { const unsigned char *data; size_t size; } loader_bytes;
    """
)
for header in HEADERS:
    # What these declare is what is wrapped; cffi reads all of C but the preprocessor's lines.
    ffibuilder.cdef(re.sub(r"^#.*$", "", (CORE / header).read_text(encoding="utf-8"), flags=re.MULTILINE))

ffibuilder.set_source(
    "loader._core._ffi",
    "\n".join(["#define LOADER_HOST", *(f'#include "{header}"' for header in ("loader/plugin.h", *HEADERS))]),
    sources=[
        *(f"loader/_core/library/library{part}.c" for part in ("", "_sealed", "_loaded")),
        "loader/_core/process/process.c",
    ],
    include_dirs=["include", "loader/_core"],
    libraries=[],
)
