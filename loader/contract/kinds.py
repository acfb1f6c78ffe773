"""What a contract is made of, as frozen values: kinds, parameters, structs, functions, services.

contract.py reads them from a header, layout.py tells the C side of them, fingerprint.py hashes them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["BOOL", "Class", "Field", "Function", "Interface", "Kind", "Parameter", "Service", "Stamp", "Struct"]

#: A line LOADER_FINGERPRINT of a header: major, minor, and which fingerprint that version had when it was stamped.
#: A tuple, since every process that loads has a few and would pay for a class.
Stamp: TypeAlias = tuple[int, int, str]
#: The `values` of a bool.
BOOL: tuple[tuple[str, int], ...] = (("false", 0), ("true", 1))


class Kind(enum.Enum):
    """What a parameter or a struct's member is."""

    TEXT = "text"  #: loader_text: UTF-8; str in Python
    BYTES = "bytes"  #: loader_bytes; bytes in Python
    STRUCT = "struct"  #: a pointer to a struct; dataclass, mapping or Record in Python
    INTEGER = "integer"  #: 1, 2, 4 or 8 bytes, by value; bool and enums too
    FLOAT = "float"  #: by value
    DOUBLE = "double"  #: by value
    NUMBERS = "numbers"  #: loader_f64s and its like: a buffer in Python, without a copy
    TEXTS = "texts"  #: loader_texts; a sequence of str in Python
    TENSOR = "tensor"  #: loader_tensor; what has a buffer or __dlpack__
    INTERFACE = "interface"  #: a table of functions of the caller's; an object with these methods in Python
    INSTANCE = "instance"  #: of a class of the contract's
    ARROW = "arrow"  #: loader_arrow: an array in Arrow's C data interface; what has __arrow_c_array__
    LIST = "list"  #: an array of structs, of LOADER_LIST; a sequence of records, or a structured array in Python
    SELF = "self"  #: a service table's pointer to itself; in no contract, for those who call tables


@dataclass(frozen=True, slots=True)
class Field:
    """A struct's member: where it is, in bytes, and what. `kind` is TEXT, BYTES, INTEGER, FLOAT, DOUBLE or STRUCT.

    size: bytes of one. count: elements, of an array; 0 for what is none. struct: of a nested one. values, enum: as of
    a parameter.
    """

    name: str
    kind: Kind
    offset: int
    size: int
    signed: bool = False
    values: tuple[tuple[str, int], ...] = ()
    enum: str = ""
    struct: Struct | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct's layout on 64-bit machines, by C's rules. `size` in bytes, padding at the end included.

    sized: its first member is `size_t size`, which the host fills in; it is not in `fields`.
    """

    name: str
    size: int
    fields: tuple[Field, ...]
    sized: bool

    def __hash__(self) -> int:
        """Without the fields: structs in structs would be hashed again and again."""
        return hash((self.name, self.size, self.sized))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, or result that comes by LOADER_OUT.

    size: bytes of an integer, or of an element of NUMBERS; 4 for a float, 8 for all others. signed: of integers.
    struct: of structs and lists. values: names and values of an enum, and of bool, which takes no others; empty for
    every other integer. enum: the enum's name. element: of NUMBERS, "f64" or the like. writable: NUMBERS, LIST or
    TENSOR that the plugin changes in place. position: of a result, among the function's parameters in C, from 0,
    which is the first after the call; those that are no results have the others, in order. interface: of INTERFACE.
    cls: the class's name, of INSTANCE.
    """

    name: str
    kind: Kind
    size: int = 8
    signed: bool = False
    struct: Struct | None = None
    values: tuple[tuple[str, int], ...] = ()
    enum: str = ""
    element: str = ""
    writable: bool = False
    position: int = 0
    interface: Interface | None = None
    cls: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a contract or of a service's table.

    parameters: those after `call`, and after the table of a service, that are no results. optional: a plugin may lack
    it. gives: what is written (TEXT or BYTES; by a service, to the output of the plugin's call), or None if it gives
    `results` only. doc: the comment right before its declaration. results: what it gives by LOADER_OUT. cls: the
    class that it belongs to, by its name and its first parameter. role: what it is there: "new", "method", "next"
    (gives one value after another, until LOADER_DONE) or "free" (takes no call, and gives nothing); "" without one.
    repeatable: a call that nobody has answered may be made once more (LOADER_REPEATABLE).
    """

    name: str
    parameters: tuple[Parameter, ...]
    optional: bool = False
    gives: Kind | None = Kind.TEXT
    doc: str = ""
    results: tuple[Parameter, ...] = ()
    cls: str = ""
    role: str = ""
    repeatable: bool = False

    @property
    def method(self) -> str:
        """Its name in its class: "feed" of codec_encoder_feed."""
        return self.name[len(self.cls) + 1 :]


@dataclass(frozen=True, slots=True)
class Interface:
    """What LOADER_INTERFACE declares: a table of functions that an argument brings. `name`: of the struct."""

    name: str
    functions: tuple[Function, ...]


@dataclass(frozen=True, slots=True)
class Class:
    """What LOADER_CLASS declares: plugins make instances of it, which have state.

    shared: several threads may be in functions with one instance (LOADER_SHARED_CLASS). doc: the comment before it.
    """

    name: str
    shared: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """What a host may lend: its `id` ("app.db/1"), and its `table`, a struct of pointers to `functions`."""

    id: str
    table: str
    functions: tuple[Function, ...]
