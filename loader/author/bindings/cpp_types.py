"""Kinds of a contract in C++: the type that an author sees, and the way from C and to C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.naming import ShortNames
from loader.author.bindings.words import integer
from loader.contract.kinds import Kind
from loader.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.contract.contract import Contract
    from loader.contract.kinds import Function, Parameter

__all__ = ["KEYWORDS", "Kind", "Names"]

KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class
    co_await co_return co_yield compl concept const consteval constexpr constinit const_cast continue decltype
    default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline
    int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register
    reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template
    this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
    while xor xor_eq
    """.split()  # noqa: SIM905 - a list of a hundred lines
)

_INTEGERS = {"bool": "bool"} | {
    f"{sign}{width}": f"std::{'u' * (sign == 'u')}int{width}_t" for sign in "iu" for width in (8, 16, 32, 64)
}
_ELEMENTS = _INTEGERS | {"f32": "float", "f64": "double"}
_ARRAYS = (Kind.NUMBERS, Kind.LIST)


class Names(ShortNames):
    """The types of one contract. `space`: its namespace. outside: they are used out of it."""

    def __init__(self, contract: Contract, space: str, *, outside: bool = False) -> None:
        super().__init__(contract, {"Plugin", "detail", space})
        self.space = space
        self._before = f"{space}::" * outside

    def of(self, name: str) -> str:
        """What a class or a table is called."""
        return self._before + super().of(name)

    def row(self, function: Function, table: str = "") -> str:
        """The struct of several results."""
        return self._before + super().row(function, table)

    # ---- What an author sees ---------------------------------------------------------------------------------

    def taken(self, part: Parameter) -> str:
        """The type of a parameter, with what stands between it and its name."""
        match part.kind:
            case Kind.TEXT:
                return "std::string_view "
            case Kind.BYTES:
                return "loader::Bytes "
            case Kind.TEXTS:
                return "loader::Texts "
            case Kind.STRUCT:
                return f"const ::{_struct(part)} &"
            case Kind.NUMBERS | Kind.LIST:
                return f"loader::Span<{'' if part.writable else 'const '}{_item(part)}> "
            case Kind.TENSOR:
                return f"loader::{'Mutable' if part.writable else ''}Tensor "
            case Kind.INTERFACE if part.interface is not None:
                return f"const {self.of(part.interface.name)} &"
            case Kind.INSTANCE:
                return f"{self.of(part.cls)} &"
            case Kind.ARROW:
                return "const loader_arrow &"
            case _:
                return f"{_number(part)} "

    def result(self, part: Parameter) -> str:
        """The type of a result of the plugin's."""
        match part.kind:
            case Kind.TEXT:
                return "std::string"
            case Kind.BYTES:
                return "std::vector<unsigned char>"
            case Kind.STRUCT:
                return f"::{_struct(part)}"
            case Kind.NUMBERS | Kind.LIST:
                return f"loader::Array<{_item(part)}>"
            case Kind.INSTANCE:
                return f"std::unique_ptr<{self.of(part.cls)}>"
            case Kind.ARROW:
                return "loader::Arrow"
            case _:
                return _number(part)

    def given(self, function: Function) -> str:
        """The type of what a function of the plugin's returns."""
        if not function.results:
            return "bool" if function.role == "next" else "void"
        one = self.result(function.results[0]) if len(function.results) == 1 else self.row(function)
        return f"std::optional<{one}>" if function.role == "next" else one

    # ---- A plugin's functions: from C, and to C -----------------------------------------------------------------

    def from_c(self, part: Parameter, name: str) -> str:
        """The C parameter as the author takes it."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return f"loader::view({name})"
            case Kind.TEXTS:
                return f"loader::Texts(*{name})"
            case Kind.STRUCT if part.struct is not None and part.struct.sized:
                return f"loader::detail::Whole<::{_struct(part)}>({name})"
            case Kind.STRUCT | Kind.ARROW:
                return f"*{name}"
            case Kind.NUMBERS | Kind.LIST:
                return f"loader::detail::span({name})"
            case Kind.TENSOR:
                return f"loader::{'Mutable' if part.writable else ''}Tensor(*{name})"
            case Kind.INTERFACE if part.interface is not None:
                return f"{self.of(part.interface.name)}(call_, {name})"
            case Kind.INSTANCE:
                return f"loader::detail::instance<{self.of(part.cls)}>({name})"
            case Kind.INTEGER if not part.values:
                return f"static_cast<{_number(part)}>({name})"
            case _:
                return name

    def check_given(self, part: Parameter, value: str) -> Iterator[str]:
        """A statement that throws if the result is none."""
        if part.kind is Kind.INSTANCE:
            yield f'loader::detail::check_instance({value}, "{part.cls}");'

    def to_c(self, part: Parameter, name: str, value: str) -> str:
        """A statement that sets the C result `name`."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return f"loader::detail::give_{part.kind.value}(call_, {name}, {value});"
            case Kind.STRUCT if part.struct is not None and part.struct.sized:
                return f"loader::detail::give_sized({name}, {value});"
            case Kind.NUMBERS | Kind.LIST:
                return f"loader::detail::give_array({name}, {value});"
            case Kind.INSTANCE:
                return f"loader::detail::give_instance({name}, std::move({value}));"
            case Kind.ARROW:
                return f"{value}.move_to(*{name});"
            case _:
                return f"loader::detail::give({name}, {value});"

    # ---- A table's functions: to C, and from C ------------------------------------------------------------------

    def passed(self, part: Parameter) -> str:
        """The type of an argument that the author passes."""
        if part.kind is Kind.TEXTS:
            return "const std::vector<std::string_view> &"
        return self.taken(part)

    def got(self, part: Parameter) -> str:
        """The type of a result that the author gets."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return self.taken(part).strip()
            case Kind.NUMBERS | Kind.LIST:
                return f"loader::Span<const {_item(part)}>"
            case _:
                return self.result(part)

    def lent(self, part: Parameter, c_type: str, name: str) -> tuple[list[str], str]:
        """Statements that make the C argument, and the argument."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return [f"const auto {name}_lent = loader::detail::lend({name});"], f"&{name}_lent"
            case Kind.TEXTS:
                each = f"const auto {name}_each = loader::detail::lend_each({name});"
                return [
                    each,
                    f"const loader_texts {name}_lent{{{name}_each.data(), {name}_each.size()}};",
                ], f"&{name}_lent"
            case Kind.STRUCT if part.struct is not None and part.struct.sized:
                return [f"const auto {name}_lent = loader::detail::with_size({name});"], f"&{name}_lent"
            case Kind.STRUCT:
                return [], f"&{name}"
            case Kind.NUMBERS | Kind.LIST:
                made = f"loader::detail::lend_array<{c_type}, {_item(part)}>({name})"
                return [f"const auto {name}_lent = {made};"], f"&{name}_lent"
            case _:
                return [], name

    def room(self, part: Parameter, c_type: str, name: str) -> list[str]:
        """Statements that make room for a C result."""
        made = [f"{c_type} {name}{{}};"]
        if part.struct is not None and part.struct.sized and part.kind is Kind.STRUCT:
            made.append(f"{name}.size = sizeof({name});")
        return made

    def read(self, part: Parameter, name: str) -> str:
        """The C result as the author gets it."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return f"loader::view({name})"
            case Kind.NUMBERS | Kind.LIST:
                return f"loader::Span<const {_item(part)}>({name}.data, {name}.size)"
            case Kind.INTEGER if not part.values:
                return f"static_cast<{_number(part)}>({name})"
            case _:
                return name


def _struct(part: Parameter) -> str:
    if part.struct is None:
        raise AssertionError(f"{part.name} is of a struct")
    return part.struct.name


def _item(part: Parameter) -> str:
    return f"::{_struct(part)}" if part.kind is Kind.LIST else _ELEMENTS[part.element]


def _number(part: Parameter) -> str:
    match part.kind:
        case Kind.FLOAT | Kind.DOUBLE:
            return str(part.kind.value)
        case Kind.INTEGER if part.enum:
            return f"::{part.enum}"
        case Kind.INTEGER:
            return integer(part, _INTEGERS)
    found = f"{part.name!r} is {part.kind.value}"
    raise ContractError("C++ bindings cannot carry this", found=found, cure="Write this plugin with the C header")
