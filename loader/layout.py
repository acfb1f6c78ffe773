"""How a contract's kinds and structs are told to the C side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader._core._call import Layout
from loader.contract import Kind

if TYPE_CHECKING:
    from loader.contract import Parameter, Struct

__all__ = ["KIND_LETTER", "layout_of", "native_parameter"]

#: See enum kind in _core/internal.h.
KIND_LETTER = {
    Kind.TEXT: "t",
    Kind.BYTES: "b",
    Kind.STRUCT: "s",
    Kind.INTEGER: "i",
    Kind.DOUBLE: "d",
}

#: Shared by all plugins of a process, so that a Record packed for one of them serves all.
_layouts: dict[Struct, Layout] = {}


def layout_of(struct: Struct) -> Layout:
    """The C side's form of a struct's layout; the same object each time."""
    known = _layouts.get(struct)
    if known is None:
        fields = tuple((f.name, KIND_LETTER[f.kind], f.offset, f.size, f.signed) for f in struct.fields)
        known = _layouts.setdefault(struct, Layout(struct.name, struct.size, struct.sized, fields))
    return known


def native_parameter(parameter: Parameter) -> tuple[str, int, bool, Layout | None]:
    """A parameter's kind, size in bytes, sign, and layout if it is a struct."""
    layout = None if parameter.struct is None else layout_of(parameter.struct)
    return KIND_LETTER[parameter.kind], parameter.size, parameter.signed, layout
