"""Makes the cffi module loader._core._ffi: the types of the ABI, and opening libraries.

Compiled out of line, so that using it imports neither cffi's parser nor pycparser (33 to 48 ms).
"""

from cffi import FFI

ffibuilder = FFI()

ffibuilder.cdef(
    """
    typedef struct { const char *data; size_t size; } loader_text;
    typedef struct { const unsigned char *data; size_t size; } loader_bytes;

    void *library_open(const char *path, char *error, size_t size);
    uintptr_t library_symbol(void *handle, const char *name);
    typedef struct {
        int descriptor;
        char path[64];
        unsigned long long device, inode;
        int step;
    } library_copy;
    int library_seal(const char *path, const char *data, size_t size, int least, library_copy *copy);
    """
)

ffibuilder.set_source(
    "loader._core._ffi",
    """
    #define LOADER_HOST
    #include "loader/plugin.h"
    #include "library.h"
    """,
    sources=["loader/_core/library.c"],
    include_dirs=["include", "loader/_core"],
    libraries=[],
)
