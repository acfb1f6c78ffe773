"""Makes the cffi module loader._core._ffi: the types of the ABI, and opening libraries.

Compiled out of line, so that using it imports neither cffi's parser nor pycparser (33 to 48 ms).
"""

from cffi import FFI

ffibuilder = FFI()

ffibuilder.cdef(
    """
    typedef struct { const char *data; size_t size; } loader_text;
    typedef struct { const unsigned char *data; size_t size; } loader_bytes;

    typedef struct {
        void *handle;
        int open;
        unsigned long long device, inode;
        long process;
        int step;
        int descriptor, kept;
        char path[128];
        char error[1024];
    } library_opened;
    void library_open(const char *path, library_opened *opened);
    int library_open_sealed(const char *path, const char *data, size_t size, library_opened *opened);
    int library_reserve(const char *path, library_opened *opened);
    int library_seal(const char *data, size_t size, library_opened *opened);
    void library_settle(library_opened *opened);
    int library_loaded(const char *name, int nth, char *path, size_t room);
    int library_is_global(const char *name);
    uintptr_t library_symbol(const library_opened *opened, const char *name);
    int process_ends_with(long parent);
    """
)

ffibuilder.set_source(
    "loader._core._ffi",
    """
    #define LOADER_HOST
    #include "loader/plugin.h"
    #include "library/library.h"
    #include "process/process.h"
    """,
    sources=[
        *(f"loader/_core/library/library{part}.c" for part in ("", "_sealed", "_loaded")),
        "loader/_core/process/process.c",
    ],
    include_dirs=["include", "loader/_core"],
    libraries=[],
)
