"""cffi-abi: cffi's ABI mode, dlopen of a C library whose declarations are parsed at run time."""

import cffi
import documents

from peer import Peer

CDEF = """
typedef struct { int64_t id; const char *author; } plain_post;
char *plain_process_role(const char *role, const char *text, size_t size, const plain_post *post);
void plain_free(char *result);
char *plain_fail(const char *role, const char *text, size_t size, const plain_post *post, const char **error);
const char *plain_call_back(long count, const char *(*title)(int64_t id));
"""
kept = []


def functions_of(ffi, library):
    role, free = library.plain_process_role, library.plain_free
    unpack, null = ffi.string, ffi.NULL

    def process_role(name, text, post):
        raw = text.encode()
        result = role(name.encode(), raw, len(raw), post)
        if result == null:
            raise MemoryError
        html = unpack(result).decode()
        free(result)
        return html

    return process_role


def post_of(ffi):
    author = ffi.new("char[]", documents.POST_AUTHOR.encode())
    post = ffi.new("plain_post *", {"id": documents.POST_ID, "author": author})
    kept.extend([author, post])
    return post


def peer_of(ffi, library, title):
    post = post_of(ffi)

    def fail(name, text, post):
        error = ffi.new("const char **")
        raw = text.encode()
        if library.plain_fail(name.encode(), raw, len(raw), post, error) == ffi.NULL:
            raise ValueError(ffi.string(error[0]).decode())

    return Peer(
        process_role=functions_of(ffi, library),
        post=post,
        failing=(fail, ("tt", documents.TEXT, post), ValueError),
        callback=lambda count: ffi.string(library.plain_call_back(count, title)).decode(),
    )


def open_ffi():
    ffi = cffi.FFI()
    ffi.cdef(CDEF)
    return ffi


def open_peer(folder, variant):
    ffi = open_ffi()
    answer = ffi.new("char[]", documents.TITLE.encode())
    title = ffi.callback("const char *(int64_t)", lambda number: answer)
    kept.extend([answer, title])
    return peer_of(ffi, ffi.dlopen(str(folder / "ours/libplain.so")), title)


def load(folder, variant, count):
    ffi = open_ffi()
    libraries = [ffi.dlopen(str(folder / "plugins/plain" / f"tt{number}.so")) for number in range(count)]
    kept.extend(libraries)
    post = post_of(ffi)
    return [(functions_of(ffi, library), post) for library in libraries]
