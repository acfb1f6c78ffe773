# cython: language_level=3
"""An extension module by Cython: Python's own words, compiled; and (utf-8) as one wraps a C library."""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


def process_role(str role, str text, post):
    return f"<tt>{text}</tt>"


cdef size_t tt(const char *text, size_t size, char *room) noexcept nogil:
    memcpy(room, "<tt>", 4)
    memcpy(room + 4, text, size)
    memcpy(room + 4 + size, "</tt>", 5)
    return size + 9


def process_role_utf8(str role, str text, post):
    cdef bytes raw = text.encode("utf-8")
    cdef const char *data = raw
    cdef size_t size = len(raw)
    cdef char *room = <char *> malloc(size + 9)
    if room == NULL:
        raise MemoryError
    try:
        size = tt(data, size, room)
        return room[:size].decode("utf-8")
    finally:
        free(room)


def fail(str role, str text, post):
    raise ValueError(f"no post {post.id}")


def call_back(long left, title):
    last = None
    while left > 0:
        last = title(42)
        left -= 1
    return last
