"""Types of a contract in Rust: what functions of traits take and give, and what the lines of the kit's macros say.

`kit` is the crate native_plugin; see include/rust/src.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.naming import OWN, borrows, type_names
from loader.author.bindings.words import camel, unused
from loader.contract.kinds import BOOL, Kind
from loader.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from loader.contract.contract import Contract
    from loader.contract.kinds import Field, Function, Parameter, Struct

__all__ = ["Types", "call_name", "identifier", "together"]

_KEYWORDS = frozenset(
    """
    abstract as async await become box break const continue do dyn else enum extern false final fn for gen
    if impl in let loop macro match mod move mut override priv pub ref return static struct trait true try
    type typeof unsafe unsized use virtual where while yield
    """.split()  # noqa: SIM905 - a list of fifty lines
)
_NO_RAW = frozenset(("self", "Self", "super", "crate", "_"))  # `r#self` is no name
#: What generated code names without a path, besides what it declares.
_RESERVED = frozenset(
    ("Plugin", "Option", "Result", "Self", "Some", "None", "Ok", "Err", "Vec", "String", "Box", "Send", "Sync")
)
_PLAIN = {Kind.FLOAT: "f32", Kind.DOUBLE: "f64"}


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """The name as Rust has it: r#type; none of those that are taken."""
    while name in taken or name in _NO_RAW:
        name += "_"
    return f"r#{name}" if name in _KEYWORDS else name


def call_name(function: Function) -> str:
    """What the call is named, which no parameter is."""
    return unused("call", [part.name for part in (*function.parameters, *function.results)])


def together(types: Iterable[str]) -> str:
    """A type or value for none, one or several."""
    listed = list(types)
    return listed[0] if len(listed) == 1 else f"({', '.join(listed)})"


class Types:
    """`trait`: what the contract's trait is called. `names`: of all its types. path: before each, "contract::"."""

    def __init__(self, contract: Contract, path: str = "") -> None:
        self.contract = contract
        self.trait = path + camel(contract.name)
        names = type_names(contract, _RESERVED | {camel(contract.name)})
        self.names = {name: path + known for name, known in names.items()}
        self.shared = {each.name: each.shared for each in contract.classes}

    def struct(self, struct: Struct, lifetime: str) -> str:
        """A struct with its lifetime, if it borrows."""
        return self.names[struct.name] + (f"<{lifetime}>" if borrows(struct.fields) else "")

    def field(self, field: Field) -> str:
        """The type of a struct's member, in C's layout."""
        if field.struct is not None:
            made = self.struct(field.struct, "'call")
            if field.struct.sized:
                made = f"kit::WithSize<{made}>"
        elif field.kind in (Kind.TEXT, Kind.BYTES):
            made = f"kit::{field.kind.value.capitalize()}<'call>"
        else:
            made = "kit::Bool" if field.values == BOOL and not field.enum else self._number(field)
        return f"[{made}; {field.count}]" if field.count else made

    def _number(self, part: Parameter | Field) -> str:
        if part.kind in _PLAIN:
            return _PLAIN[part.kind]
        if part.enum:
            return self.names[part.enum]
        if part.values == BOOL:
            return "bool"
        return f"{'i' if part.signed else 'u'}{part.size * 8}"

    def _items(self, part: Parameter, lifetime: str) -> str:
        """What the items of an array are."""
        if part.kind is Kind.TEXTS:
            return f"kit::Text<{lifetime}>"
        return part.element if part.struct is None else self.struct(part.struct, lifetime)

    def taken(self, part: Parameter, lifetime: str) -> str:
        """A parameter of a plugin's function. An empty lifetime is left to the compiler, in lines of macros: '_."""
        known = lifetime or "'_"
        reference = f"&{lifetime} ".replace("& ", "&")
        if part.kind in (Kind.TEXT, Kind.BYTES):
            return reference + ("str" if part.kind is Kind.TEXT else "[u8]")
        if part.kind in (Kind.NUMBERS, Kind.LIST, Kind.TEXTS):
            return f"{reference}{'mut ' if part.writable else ''}[{self._items(part, known)}]"
        if part.kind is Kind.TENSOR:
            return f"kit::Tensor{'Mut' if part.writable else ''}<{known}>"
        if part.kind is Kind.ARROW:
            return f"kit::Arrow<{known}>"
        if part.kind is Kind.STRUCT and part.struct is not None:
            return self.struct(part.struct, known)
        if part.kind is Kind.INTERFACE and part.interface is not None:
            return f"{self.names[part.interface.name]}<{known}>"
        return self._value(part)

    def _value(self, part: Parameter) -> str:
        if part.kind in (Kind.INTEGER, *_PLAIN):
            return self._number(part)
        cure = "Write this plugin with the C header"
        raise ContractError("Rust bindings cannot carry this", found=f"{part.name!r} is {part.kind.value}", cure=cure)

    def given(self, part: Parameter, lifetime: str) -> str:
        """A result of a plugin's function, as the trait has it. Instances are not among them."""
        if part.kind in (Kind.TEXT, Kind.BYTES):
            return f"::std::borrow::Cow<{lifetime}, {'str' if part.kind is Kind.TEXT else '[u8]'}>"
        if part.kind is Kind.ARROW:
            return "kit::ArrowArray"
        if part.kind in (Kind.NUMBERS, Kind.LIST):
            return f"kit::Array<{lifetime}, {self._items(part, lifetime)}>"
        if part.kind is Kind.STRUCT and part.struct is not None:
            return self.struct(part.struct, lifetime)
        return self._value(part)

    def passed(self, part: Parameter) -> str:
        """A parameter of a function of the application's."""
        return "&[&str]" if part.kind is Kind.TEXTS else self.taken(part, "")

    def found(self, part: Parameter, lifetime: str) -> str:
        """A result of a function of the application's."""
        return self.taken(part, lifetime)

    def needs_plugin(self, cls: str) -> bool:
        """Whether functions of a class name instances beside their own: then its trait must name the plugin."""
        for function in self.contract.functions:
            if function.cls == cls and function.role != "free":
                own = function.role in OWN
                if any(part.cls for part in function.parameters[own:]):
                    return True
                if any(part.cls for part in function.results) and function.role != "new":
                    return True
        return False
