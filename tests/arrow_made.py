"""Arrow arrays that no library made: structs by hand, so that each member can be wrong."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Schema(ctypes.Structure):
    """ArrowSchema, for capsules made by hand."""


class Array(ctypes.Structure):
    """ArrowArray."""


END_SCHEMA = ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))
END_ARRAY = ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))
Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", END_SCHEMA),
    ("private_data", ctypes.c_void_p),
]
Array._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.c_void_p),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", END_ARRAY),
    ("private_data", ctypes.c_void_p),
]
_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Made:
    """An array of int64, made by hand. `released`: what was, in order."""

    def __init__(self, *values: int, names: tuple[bytes, bytes] = (b"arrow_schema", b"arrow_array")) -> None:
        self.released: list[str] = []
        self.numbers = (ctypes.c_int64 * len(values))(*values)
        self.buffers = (ctypes.c_void_p * 2)(None, ctypes.addressof(self.numbers))
        self.end_schema, self.end_array = END_SCHEMA(self._schema), END_ARRAY(self._array)
        self.schema = Schema(format=b"l", name=b"", release=self.end_schema)
        buffers = ctypes.cast(self.buffers, ctypes.c_void_p)
        self.array = Array(length=len(values), n_buffers=2, buffers=buffers, release=self.end_array)
        self.names = names
        self.asked = 0

    def _schema(self, pointer: Any) -> None:
        self.released.append("schema")
        ctypes.memset(ctypes.addressof(pointer.contents) + Schema.release.offset, 0, 8)

    def _array(self, pointer: Any) -> None:
        self.released.append("array")
        ctypes.memset(ctypes.addressof(pointer.contents) + Array.release.offset, 0, 8)

    def capsules(self) -> tuple[Any, ...]:
        """New ones of the same structs."""
        pointers = ctypes.addressof(self.schema), ctypes.addressof(self.array)
        return tuple(_new(pointer, name, None) for pointer, name in zip(pointers, self.names, strict=True))

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, ...]:
        self.asked += 1
        return self.capsules()


class Gives:
    """An object whose __arrow_c_array__ gives or raises this."""

    def __init__(self, what: object) -> None:
        self.what = what

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        if isinstance(self.what, BaseException):
            raise self.what
        return self.what


class Middle:
    """The service that tests/plugins/arrow.c calls while it has an array."""

    def __init__(self) -> None:
        self.action: Callable[[], object] = lambda: None

    def pause(self) -> None:
        """What the plugin calls."""
        self.action()
