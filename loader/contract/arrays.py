"""Arrays of a contract's structs in other libraries: NumPy's dtype, and the format of the buffer protocol.

NumPy is imported only where an array of it is there already, or somebody asks for a dtype.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from loader.contract.kinds import BOOL, Field, Kind, Struct
from loader.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["array_form", "dtype_of"]

_INTEGERS = {1: "b", 2: "h", 4: "i", 8: "q"}


def array_form(struct: Struct) -> tuple[str | None, Callable[[Any], bool]]:
    """What C asks of a struct's arrays: see core_borrow_list in _core/call/borrow.c.

    Their format as memoryview has it, with standard sizes and all padding written out; None if a member is text or
    bytes, which are pointers and mean nothing to others. And whether the elements of an array of NumPy, or of a
    memoryview, are this struct.
    """
    form = _format(struct) if _is_plain(struct) else None

    def fits(array: Any) -> bool:
        if type(array) is memoryview:  # not isinstance, which believes what an object says of its class
            return array.format == form
        if form is None or "numpy" not in sys.modules:
            return False
        return bool(getattr(array, "dtype", None) == dtype_of(struct))

    return form, fits


def _is_plain(struct: Struct) -> bool:
    return not struct.sized and all(
        each.kind not in (Kind.TEXT, Kind.BYTES) and (each.struct is None or _is_plain(each.struct))
        for each in struct.fields
    )


def _letter(field: Field) -> str:
    if field.struct is not None:
        return _format(field.struct)
    if field.values == BOOL:
        return "?"
    if field.kind is Kind.INTEGER:
        letter = _INTEGERS[field.size]
        return letter if field.signed else letter.upper()
    return "f" if field.kind is Kind.FLOAT else "d"


def _format(struct: Struct) -> str:
    parts, end = [], 0
    for field in struct.fields:
        parts.append("x" * (field.offset - end))
        parts.append(f"({field.count})" * (field.count > 0) + f"{_letter(field)}:{field.name}:")
        end = field.offset + field.size * max(field.count, 1)
    return "T{=" + "".join(parts) + "x" * (struct.size - end) + "}"


@cache
def dtype_of(struct: Struct) -> Any:
    """NumPy's dtype of a struct. Raises ContractError if NumPy has none, ImportError without NumPy."""
    import numpy as np  # noqa: PLC0415 - an extra

    if not _is_plain(struct):
        raise ContractError(
            f"struct {struct.name} has no dtype",
            found="a member that is text or bytes, or a size at its beginning",
            cure="Pass records in a list",
        )
    fields = [
        (each, dtype_of(each.struct) if each.struct is not None else np.dtype(_letter(each)))
        for each in struct.fields
    ]
    return np.dtype(
        {
            "names": [each.name for each, _ in fields],
            "formats": [(made, (each.count,)) if each.count else made for each, made in fields],
            "offsets": [each.offset for each in struct.fields],
            "itemsize": struct.size,
        }
    )
