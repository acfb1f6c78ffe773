"""ctypes: the standard library's way to a C function. The plugin is peers/ours/c/plain.c."""

import ctypes

import documents

from peer import Peer


class Post(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int64), ("author", ctypes.c_char_p)]


TITLE = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_int64)
POST = Post(documents.POST_ID, documents.POST_AUTHOR.encode())


def bind(path):
    library = ctypes.CDLL(str(path))
    role = library.plain_process_role
    role.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(Post)]
    role.restype = ctypes.c_void_p
    free = library.plain_free
    free.argtypes, free.restype = [ctypes.c_void_p], None
    text_of = ctypes.string_at

    def process_role(name, text, post):
        raw = text.encode()
        result = role(name.encode(), raw, len(raw), post)
        if not result:
            raise MemoryError
        html = text_of(result).decode()
        free(result)
        return html

    return library, process_role


def open_peer(folder, variant):
    library, process_role = bind(folder / "ours/libplain.so")
    failing = library.plain_fail
    failing.argtypes = [*library.plain_process_role.argtypes, ctypes.POINTER(ctypes.c_char_p)]
    failing.restype = ctypes.c_void_p
    back = library.plain_call_back
    back.argtypes, back.restype = [ctypes.c_long, TITLE], ctypes.c_char_p
    title = TITLE(lambda number: b"Rhubarb pie")

    def fail(name, text, post):
        error = ctypes.c_char_p()
        raw = text.encode()
        if not failing(name.encode(), raw, len(raw), post, error):
            raise ValueError(error.value.decode())

    return Peer(
        process_role=process_role,
        post=POST,
        failing=(fail, ("tt", documents.TEXT, POST), ValueError),
        callback=lambda count: back(count, title).decode(),
    )


def load(folder, variant, count):
    return [(bind(folder / "plugins/plain" / f"tt{number}.so")[1], POST) for number in range(count)]
