"""What the parts of a contract are to a type checker: for stubs.py.

Whatever a contract names may hide what Python calls so (a function `list`, an enum `bytes`): see Names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.contract.kinds import BOOL, Field, Kind, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from loader.contract.kinds import Function, Interface, Struct

__all__ = ["Names", "Types"]

_NONE = "None"
MOST_LITERALS = 64  # values of an enum that are listed beside its members

#: Protocols that a stub defines itself, if it uses them. A name of Names stands for {…}.
_OWN = {
    # NumPy's own types have __buffer__ from Python 3.12 on only.
    "_Array": "@{property}\ndef __array_interface__(self) -> {dict}[{str}, {Any}]: ...",
    "_Tensor": "def __dlpack__(self) -> {object}: ...\ndef __dlpack_device__(self) -> {tuple}[{int}, {int}]: ...",
    "_Arrow": (
        "def __arrow_c_array__(\n    self, requested_schema: {object} | None = None\n"
        ") -> {tuple}[{object}, {object}]: ..."
    ),
}
_MODULES = {
    "Any": "typing",
    "Literal": "typing",
    "NamedTuple": "typing",
    "Protocol": "typing",
    "SupportsFloat": "typing",
    "SupportsIndex": "typing",
    "TypeAlias": "typing",
    "overload": "typing",
    "Callable": "collections.abc",
    "Mapping": "collections.abc",
    "Sequence": "collections.abc",
    "IntEnum": "enum",
    "TracebackType": "types",
    "ReadableBuffer": "_typeshed",
    "StrPath": "_typeshed",
    "WriteableBuffer": "_typeshed",
    "Never": "typing_extensions",
    "Self": "typing_extensions",
}


class Names:
    """The names of a stub: what it imports, defines and gives another name, because a contract has one like it.

    types: what the contract declares at the top of the stub. members: what it declares in classes there, where such a
    name hides that of the module.
    """

    def __init__(self, types: Iterable[str], members: Iterable[str]) -> None:
        self.types = set(types)
        self._members = set(members)
        self._taken = self.types | self._members
        self._imports: dict[str, set[str]] = {}
        self._free: dict[tuple[str, str], str] = {}
        self._aliases: dict[str, str] = {}
        self.own: set[str] = set()

    def use(self, name: str) -> str:
        """A name of Python's, imported where it must be."""
        if name in _OWN:
            self.own.add(name)
            return self.free(name, "own")
        module = _MODULES.get(name, "builtins")
        free = self.free(name, module)
        if module != "builtins" or free != name:
            self._imports.setdefault(module, set()).add(name if free == name else f"{name} as {free}")
        return free

    def type(self, name: str) -> str:
        """A type that the contract declares, as it is called where members may hide it."""
        if name not in self._members:
            return name
        self._aliases[name] = self.free(f"_{name}", "alias")
        return self._aliases[name]

    def free(self, name: str, what: str) -> str:
        """The name, or one that nothing in the contract has, and nothing else here: the same each time."""
        made = self._free.get((name, what))
        if made is None:
            made = name
            while made in self._taken:
                made = f"_{made}"
            self._taken.add(made)
            self._free[name, what] = made
        return made

    def head(self) -> list[str]:
        """The imports, a line each."""
        return [
            f"from {module} import {', '.join(sorted(names, key=str.casefold))}"
            for module, names in sorted(self._imports.items())
        ]

    def tail(self) -> list[str]:
        """What the types above are called where they are hidden."""
        return [f"{alias}: {self.use('TypeAlias')} = {name}" for name, alias in sorted(self._aliases.items())]

    def protocol(self, name: str) -> list[str]:
        """One of our own that `use` was asked for."""
        body = _OWN[name].format_map(_Used(self.use))
        first = f"class {self.use(name)}({self.use('Protocol')}):"
        return [first, *(f"    {line}" for line in body.splitlines())]


class _Used(dict[str, str]):
    def __init__(self, use: Callable[[str], str]) -> None:
        super().__init__()
        self._use = use

    def __missing__(self, name: str) -> str:
        return self._use(name)


class Types:
    """Kinds → types. `taken`: where Python gives a value to native code; `given`: where it gets one."""

    def __init__(self, names: Names) -> None:
        self._use = names.use
        self._names = names
        self.structs: dict[str, Struct] = {}  # those that `taken` was asked of, nested ones too

    def taken(self, part: Parameter | Field) -> str:
        """What may be passed."""
        if isinstance(part, Field) and part.count:
            return f"{self._use('Sequence')}[{self._taken(part)}]"
        return self._taken(part)

    def _taken(self, part: Parameter | Field) -> str:
        use, kind = self._use, part.kind
        if kind is Kind.TEXT:
            return use("str")
        if kind is Kind.TEXTS:
            return f"{use('Sequence')}[{use('str')}]"
        if kind is Kind.INTEGER:
            return self._number(part)
        if kind in (Kind.FLOAT, Kind.DOUBLE):
            return f"{use('SupportsFloat')} | {use('SupportsIndex')}"
        if kind in (Kind.STRUCT, Kind.LIST):
            return self._structs(part)
        if kind is Kind.TENSOR:
            return f"{use('ReadableBuffer')} | {use('_Tensor')}"
        if kind is Kind.ARROW:
            return use("_Arrow")
        if isinstance(part, Parameter) and kind is Kind.INSTANCE:
            return self._names.type(part.cls)
        if isinstance(part, Parameter) and part.interface is not None:
            return self._interface(part.interface)
        return self._buffer(kind is Kind.NUMBERS and isinstance(part, Parameter) and part.writable)

    def _buffer(self, writable: bool) -> str:
        return f"{self._use('WriteableBuffer' if writable else 'ReadableBuffer')} | {self._use('_Array')}"

    def _number(self, part: Parameter | Field) -> str:
        if not part.values:
            return self._use("SupportsIndex")
        name = self._use("bool") if part.values == BOOL and not part.enum else self._named(part)
        values = sorted({value for _, value in part.values})
        if len(values) > MOST_LITERALS:
            return name
        return f"{name} | {self._use('Literal')}[{', '.join(map(str, values))}]"

    def _named(self, part: Parameter | Field) -> str:
        return self._names.type(part.enum) if part.enum else self._use("int")

    def _structs(self, part: Parameter | Field) -> str:
        if part.struct is None:
            return self._use("Any")
        if part.kind is Kind.STRUCT:
            return self.struct(part.struct)
        if isinstance(part, Parameter) and part.writable:
            return self._buffer(writable=True)
        return f"{self._use('Sequence')}[{self.struct(part.struct)}] | {self._buffer(writable=False)}"

    def struct(self, struct: Struct) -> str:
        """The name of what may be passed as a struct."""
        self.structs.setdefault(struct.name, struct)
        return self._names.free(f"_{struct.name}_value", "value")

    def _interface(self, interface: Interface) -> str:
        name = self._names.type(interface.name)
        if len(interface.functions) != 1:
            return name
        function = interface.functions[0]
        seen = ", ".join(self.seen(each) for each in function.parameters)
        return f"{name} | {self._use('Callable')}[[{seen}], {self.answered(function)}]"

    def seen(self, part: Parameter) -> str:
        """What a function of the application's is passed: as what is given, but for lists."""
        if part.kind is Kind.TEXTS:
            return f"{self._use('list')}[{self._use('str')}]"
        if part.kind is Kind.LIST and part.struct is not None:
            return f"{self._use('list')}[{self._names.type(part.struct.name)}]"
        return self.given(part)

    def answered(self, function: Function) -> str:
        """What a function of the application's gives."""
        answers = [self._answer(each) for each in function.results]
        if not answers:
            return f"{self._use('str')} | {self._use('bytes')} | None"
        return answers[0] if len(answers) == 1 else f"{self._use('tuple')}[{', '.join(answers)}]"

    def _answer(self, part: Parameter) -> str:
        return self._use("bytes") if part.kind is Kind.BYTES else self.taken(part)

    # ---- Results -------------------------------------------------------------------------------------------

    def given(self, part: Parameter | Field) -> str:
        """What comes back."""
        one = self._given(part)
        return f"{self._use('tuple')}[{one}, ...]" if isinstance(part, Field) and part.count else one

    def _given(self, part: Parameter | Field) -> str:
        use, kind = self._use, part.kind
        if kind is Kind.INTEGER:
            return use("bool") if part.values == BOOL and not part.enum else self._named(part)
        if part.struct is not None:
            row = self._names.type(part.struct.name)
            return row if kind is Kind.STRUCT else f"{use('Sequence')}[{row}]"
        if isinstance(part, Parameter) and part.element:
            return f"{use('memoryview')}[{use('float' if part.element.startswith('f') else 'int')}]"
        if isinstance(part, Parameter) and kind is Kind.INSTANCE:
            return self._names.type(part.cls)
        return use({Kind.TEXT: "str", Kind.BYTES: "bytes", Kind.ARROW: "_Arrow"}.get(kind, "float"))

    def written(self, kind: Kind | None) -> str:
        """What a function writes; None: it has no result at all."""
        return _NONE if kind is None else self._use("bytes" if kind is Kind.BYTES else "str")

    def row(self, values: Sequence[tuple[str, str]]) -> str:
        """A tuple of these values, for names that no NamedTuple may have."""
        return f"{self._use('tuple')}[{', '.join(made for _, made in values) or '()'}]"
