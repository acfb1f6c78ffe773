"""Types of a contract in Go: what methods of interfaces take and give, and what exported functions get from C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.naming import OWN, type_names
from loader.author.bindings.words import camel, unused
from loader.contract.kinds import BOOL, Kind
from loader.errors import ContractError

if TYPE_CHECKING:
    from loader.contract.contract import Contract
    from loader.contract.kinds import Field, Function, Parameter

__all__ = ["KEYWORDS", "USED", "Types", "go_name", "identifier"]

KEYWORDS = frozenset(
    """
    break case chan const continue default defer else fallthrough for func go goto if import interface map package
    range return select struct switch type var
    """.split()  # noqa: SIM905 - a list of thirty lines
)
#: What generated code uses by name: no parameter is called so, and no function of the package.
USED = frozenset(
    """
    bool byte error false float32 float64 int int16 int32 int64 int8 nil string true uint16 uint32 uint64 uint8
    uintptr C binding plugin unsafe registered enter strconv init main Register
    """.split()  # noqa: SIM905 - a list of thirty lines
)
_INTEGERS = {
    f"{letter}{bits}": f"{kind}{bits}" for letter, kind in (("i", "int"), ("u", "uint")) for bits in (8, 16, 32, 64)
}
_ELEMENTS = {**_INTEGERS, "f32": "float32", "f64": "float64"}
_REALS = {Kind.FLOAT: "float32", Kind.DOUBLE: "float64"}
#: How a result is put into its place. Of structs and instances see :meth:`Types.put`.
_SETTERS = {
    Kind.TEXT: "SetText(call, ",
    Kind.BYTES: "SetBytes(call, ",
    Kind.NUMBERS: "SetArray(",
    Kind.LIST: "SetArray(",
}


def identifier(name: str) -> str:
    """A parameter's name in Go."""
    return unused(name, {*KEYWORDS, *USED, "call"})


def go_name(contract: Contract, name: str) -> str:
    """What a function is called in Go that C calls by this name; another one where Go has none of that name."""
    return f"binding_{contract.name}_{name}" if name in KEYWORDS | USED else name


class Types:
    """`main`: what the interface of the contract's functions is called. `names`: of all its types."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.main = camel(contract.name)
        reserved = {self.main, "Register", *(each.name for each in contract.functions)}
        self.names = type_names(contract, reserved)
        self.fields = {each.name: _field_names(each.fields) for each in contract.structs}

    def number(self, part: Parameter | Field) -> str:
        """A number's or enum's type."""
        if part.kind in _REALS:
            return _REALS[part.kind]
        return self.names[part.enum] if part.enum else "bool" if is_bool(part) else self.integer_of(part)

    def raw(self, part: Parameter) -> str:
        """What an exported function gets from C."""
        if part.kind is Kind.INSTANCE:
            return "uintptr"  # a number, which Go must not take for an address
        if part.kind in _REALS or part.kind is Kind.INTEGER:
            return "uint8" if is_bool(part) else self.integer_of(part)
        return "unsafe.Pointer"

    def integer_of(self, part: Parameter | Field) -> str:
        """The number that an enum is, too."""
        return _REALS.get(part.kind) or _INTEGERS[f"{'i' if part.signed else 'u'}{part.size * 8}"]

    def field(self, field: Field) -> str:
        """The type of a struct's member, in C's layout."""
        if field.struct is not None:
            made = self.names[field.struct.name]
            if field.struct.sized:
                made = f"binding.Sized[{made}]"
        elif field.kind in (Kind.TEXT, Kind.BYTES):
            made = f"plugin.{field.kind.value.capitalize()}"
        else:
            made = "plugin.Bool" if is_bool(field) else self.number(field)
        return f"[{field.count}]{made}" if field.count else made

    def items(self, part: Parameter) -> str:
        """What the items of an array are."""
        if part.kind is Kind.TEXTS:
            return "plugin.Text"
        return _ELEMENTS[part.element] if part.struct is None else self.names[part.struct.name]

    def taken(self, part: Parameter) -> str:
        """A parameter of a plugin's function, and a result of the application's."""
        if part.kind in (Kind.TEXT, Kind.BYTES, Kind.TENSOR, Kind.ARROW):
            return f"plugin.{part.kind.value.capitalize()}"
        if part.kind in (Kind.NUMBERS, Kind.LIST, Kind.TEXTS):
            return f"[]{self.items(part)}"
        return self._declared(part)

    def _declared(self, part: Parameter) -> str:
        if part.struct is not None:
            return self.names[part.struct.name]
        if part.interface is not None:
            return self.names[part.interface.name]
        if part.kind is Kind.INSTANCE:
            return self.names[part.cls]
        if part.kind in _REALS or part.kind is Kind.INTEGER:
            return self.number(part)
        cure = "Write this plugin with the C header"
        raise ContractError("Go bindings cannot carry this", found=f"{part.name!r} is {part.kind.value}", cure=cure)

    def given(self, part: Parameter) -> str:
        """A result of a plugin's function."""
        plain = {Kind.TEXT: "string", Kind.BYTES: "[]byte", Kind.ARROW: "plugin.ArrowArray"}
        if part.kind in (Kind.NUMBERS, Kind.LIST):
            return f"plugin.Array[{self.items(part)}]"
        return plain.get(part.kind) or self._declared(part)

    def passed(self, part: Parameter) -> str:
        """A parameter of a function of the application's."""
        plain = {Kind.TEXT: "string", Kind.BYTES: "[]byte", Kind.TEXTS: "[]string"}
        return plain.get(part.kind) or self.taken(part)

    def from_c(self, part: Parameter) -> str:
        """A parameter as the plugin's function gets it, of what C gave under its name."""
        name = identifier(part.name)
        if part.kind in (Kind.TEXT, Kind.BYTES, Kind.TENSOR, Kind.ARROW):
            return f"plugin.{part.kind.value.capitalize()}At({name})"
        if part.kind in (Kind.NUMBERS, Kind.LIST, Kind.TEXTS):
            return f"binding.Slice[{self.items(part)}]({name})"
        if part.struct is not None:
            known = self.names[part.struct.name]
            return f"binding.GetSized[{known}]({name})" if part.struct.sized else f"*(*{known})({name})"
        if part.interface is not None:
            return f"{self.names[part.interface.name]}{{call, {name}}}"
        if part.kind is Kind.INSTANCE:
            return f"binding.Instance[{self.names[part.cls]}]({name})"
        if is_bool(part):
            return f"{name} != 0"
        return f"{self.names[part.enum]}({name})" if part.enum else name

    def put(self, part: Parameter, value: str) -> tuple[str, bool]:
        """What puts a result into its place, and whether that can fail."""
        room = identifier(part.name)
        if part.kind in _SETTERS:
            return f"binding.{_SETTERS[part.kind]}{room}, {value})", part.kind in (Kind.TEXT, Kind.BYTES)
        if part.kind in (Kind.INSTANCE, Kind.ARROW):
            return f"{'binding.New' if part.kind is Kind.INSTANCE else 'plugin.PutArrow'}({room}, {value})", True
        how = "SetBool" if is_bool(part) else "SetSized" if part.struct is not None and part.struct.sized else "Set"
        return f"binding.{how}({room}, {value})", False

    def method(self, function: Function) -> str:
        """What a function is called in its interface."""
        if function.role == "new":
            others = {camel(each.name) for each in self.contract.functions}
            return unused(f"New{self.names[function.cls]}", others)
        return camel(function.method if function.cls else function.name)

    def optional(self, function: Function) -> str:
        """The interface of an optional function."""
        owner = self.names[function.cls] if function.role in OWN else self.main
        return unused(owner + self.method(function), set(self.names.values()))

    def tag(self, word: str) -> str:
        """The build tag that brings an optional function in."""
        return f"{self.contract.name}_{word.removeprefix(f'{self.contract.name}_')}"


def is_bool(part: Parameter | Field) -> bool:
    """Whether it is C's bool."""
    return part.values == BOOL and not part.enum


def _field_names(fields: tuple[Field, ...]) -> dict[str, str]:
    """Members as Go exports them, and no two of one name."""
    names: dict[str, str] = {}
    for field in fields:
        known = camel(field.name)
        names[field.name] = unused(known if known[:1].isalpha() else f"X{known}", names.values())
    return names
