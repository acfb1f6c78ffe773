"""Compiles plain.c into a cffi API-mode module. Run by build.py: python build_cffi_api.py PLAIN_C FOLDER."""

import sys
from pathlib import Path

from cffi import FFI

import peer  # noqa: F401  (finds the modules of the folder above)
from peer_cffi_abi import CDEF

ffi = FFI()
ffi.cdef(CDEF + 'extern "Python" const char *api_title(int64_t);')
ffi.set_source("_plain_api", Path(sys.argv[1]).read_text(), extra_compile_args=["-O2"])
ffi.compile(tmpdir=sys.argv[2])
