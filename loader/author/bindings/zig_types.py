"""Kinds of a contract in Zig: declarations, the type that an author sees, and the way from C and to C."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from loader.author.bindings.naming import ShortNames, enum_user
from loader.author.bindings.words import integer, tables, unused
from loader.contract.kinds import BOOL, Field, Kind
from loader.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.author.bindings.words import Place
    from loader.contract.contract import Contract
    from loader.contract.kinds import Parameter, Struct

__all__ = ["Names", "declared", "ident", "quoted"]

_KEYWORDS = frozenset(
    """
    addrspace align allowzero and anyframe anytype asm async await break callconv catch comptime const continue defer
    else enum errdefer error export extern false fn for if inline linksection noalias noinline nosuspend null opaque
    or orelse packed pub resume return struct suspend switch test threadlocal true try undefined union unreachable
    usingnamespace var volatile while
    anyerror anyopaque bool comptime_float comptime_int f16 f32 f64 f80 f128 isize noreturn type usize void
    c_char c_short c_ushort c_int c_uint c_long c_ulong c_longlong c_ulonglong c_longdouble
    """.split()  # noqa: SIM905 - a list of a hundred lines
)
_WORDS = {word: word for word in ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")}


def ident(name: str) -> str:
    """A name of the header as Zig takes it."""
    return f'@"{name}"' if name in _KEYWORDS or re.fullmatch(r"[iu]\d+|_", name) else name


def quoted(text: str) -> str:
    """A string literal."""
    return json.dumps(text, ensure_ascii=False)


def declared(contract: Contract) -> Iterator[str]:
    """The contract's enums and structs, as extern types with their names in C."""
    for name in contract.enums:
        yield from _enum(enum_user(contract, name))
    for struct in contract.structs:
        yield from _struct(struct)


def _enum(part: Parameter | Field) -> Iterator[str]:
    tag = f"{'i' if part.signed else 'u'}{part.size * 8}"
    yield from ["", f"pub const {ident(part.enum)} = enum({tag}) {{"]
    first: dict[int, str] = {}
    for name, value in part.values:
        if first.setdefault(value, name) == name:
            yield f"    {ident(name)} = {value},"
    yield "    _,"
    for name, value in part.values:
        if first[value] != name:
            yield f"    pub const {ident(name)}: {ident(part.enum)} = .{ident(first[value])};"
    yield "};"


def _struct(struct: Struct) -> Iterator[str]:
    yield from ["", f"pub const {ident(struct.name)} = extern struct {{"]
    if struct.sized:
        yield "    size: usize = 0,"
    for field in struct.fields:
        count = f"[{field.count}]" if field.count else ""
        yield f"    {ident(field.name)}: {count}{_member(field)},"
    yield from ["};", "comptime {"]
    yield f"    std.debug.assert(@sizeOf({ident(struct.name)}) == {struct.size});"
    for field in struct.fields:
        yield f"    std.debug.assert(@offsetOf({ident(struct.name)}, {quoted(field.name)}) == {field.offset});"
    yield "}"


def _member(field: Field) -> str:
    if field.struct is not None:
        return ident(field.struct.name)
    if field.kind in (Kind.TEXT, Kind.BYTES):
        return "loader.Text"
    if field.kind in (Kind.FLOAT, Kind.DOUBLE):
        return f"f{field.size * 8}"
    if field.enum:
        return ident(field.enum)
    return "bool" if field.values == BOOL else f"{'i' if field.signed else 'u'}{field.size * 8}"


class Names(ShortNames):
    """The types of one contract."""

    def __init__(self, contract: Contract) -> None:
        own = {"Exports", "exportPlugin", "loader", "std", "Plugin"}
        super().__init__(contract, own | {each.name for each in contract.structs} | set(contract.enums))
        self._raw: dict[str, str] = {}
        self._inner: dict[str, tuple[str, str, str]] = {}
        methods: set[str] = set()
        for table in tables(contract):
            self._raw[table.name] = self.new(f"{self.of(table.name)}Table")
            names = {each.name for each in table.functions}
            self._inner[table.name] = unused("call", names), unused("table", names), unused("of", names)
            methods |= names | set(self._inner[table.name])
        #: What a parameter must not be called: Zig lets nothing hide anything.
        self._visible = self._used | methods | {"self"}

    def raw(self, name: str) -> str:
        """The table's own struct."""
        return self._raw[name]

    def inner(self, name: str) -> tuple[str, str, str]:
        """Of what calls a table: the names of its call, its table and its constructor."""
        return self._inner[name]

    def local(self, name: str) -> str:
        """A parameter of a function within a struct."""
        return ident(unused(name, self._visible))

    # ---- C -------------------------------------------------------------------------------------------------------

    def c_type(self, place: Place) -> str:
        """The type of a parameter in C."""
        part = place.part
        if place.result:
            return self.c_result(part)
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return "*const loader.Text"
            case Kind.TEXTS:
                return "*const loader.Texts"
            case Kind.STRUCT:
                return f"*const {_named(part)}"
            case Kind.NUMBERS | Kind.LIST:
                return f"*const loader.List({_item(part)})"
            case Kind.TENSOR:
                return "*const loader.Tensor"
            case Kind.INTERFACE if part.interface is not None:
                return f"*const {self.raw(part.interface.name)}"
            case Kind.INSTANCE:
                return f"*Plugin.{self.of(part.cls)}"
            case Kind.ARROW:
                return "*const loader.ArrowPair"
        return _number(part)

    def c_result(self, part: Parameter) -> str:
        """The type of a result in C: a pointer to where it goes."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return "*loader.Text"
            case Kind.STRUCT:
                return f"*{_named(part)}"
            case Kind.NUMBERS | Kind.LIST:
                return f"*loader.List({_item(part)})"
            case Kind.INSTANCE:
                return f"**Plugin.{self.of(part.cls)}"
            case Kind.ARROW:
                return "*loader.ArrowPair"
        return f"*{_number(part)}"

    # ---- A plugin's functions ------------------------------------------------------------------------------------

    def taken(self, part: Parameter) -> str:
        """The type of a parameter, for the author."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return "[]const u8"
            case Kind.TEXTS:
                return "[]const loader.Text"
            case Kind.STRUCT:
                return _named(part)
            case Kind.NUMBERS | Kind.LIST:
                return f"[]{'' if part.writable else 'const '}{_item(part)}"
            case Kind.TENSOR:
                return "loader.MutableTensor" if part.writable else "*const loader.Tensor"
            case Kind.INTERFACE if part.interface is not None:
                return self.of(part.interface.name)
            case Kind.INSTANCE:
                return f"*{self.of(part.cls)}"
            case Kind.ARROW:
                return "loader.ArrowPair"
        return _number(part)

    def result(self, part: Parameter) -> str:
        """The type of a result, for the author."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return "[]const u8"
            case Kind.STRUCT:
                return _named(part)
            case Kind.NUMBERS | Kind.LIST:
                return f"[]{_item(part)}"
            case Kind.INSTANCE:
                return f"Plugin.{self.of(part.cls)}"
            case Kind.ARROW:
                return "loader.Arrow"
        return _number(part)

    def from_c(self, part: Parameter, name: str) -> str:
        """The C parameter as the author takes it."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES | Kind.TEXTS | Kind.NUMBERS | Kind.LIST:
                return f"{name}.slice()"
            case Kind.STRUCT:
                return f"loader.whole({_named(part)}, {name})" if _sized(part) else f"{name}.*"
            case Kind.ARROW:
                return f"{name}.*"
            case Kind.TENSOR if part.writable:
                return f"loader.MutableTensor{{ .tensor = {name} }}"
            case Kind.INTERFACE if part.interface is not None:
                call, table, _ = self.inner(part.interface.name)
                return f"{self.of(part.interface.name)}{{ .{call} = call_, .{table} = {name} }}"
        return name

    def to_c(self, part: Parameter, name: str, value: str) -> str:
        """A statement that sets the C result."""
        failed = "catch |failure_| return loader.failed(call_, failure_)"
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return f"{name}.* = call_.keep({value}) {failed};"
            case Kind.STRUCT if _sized(part):
                return f"loader.giveSized({_named(part)}, {name}, {value});"
            case Kind.NUMBERS | Kind.LIST:
                return f"{name}.* = .of({value});"
            case Kind.INSTANCE:
                return f"{name}.* = loader.box(Plugin.{self.of(part.cls)}, {value}) {failed};"
            case Kind.ARROW:
                return f"{name}.schema.* = {value}.schema; {name}.array.* = {value}.array;"
        return f"{name}.* = {value};"

    # ---- A table's functions -------------------------------------------------------------------------------------

    def passed(self, part: Parameter) -> str:
        """The type of an argument that the author passes."""
        return self.taken(part)

    def got(self, part: Parameter) -> str:
        """The type of a result that the author gets."""
        if part.kind in (Kind.NUMBERS, Kind.LIST):
            return f"[]const {_item(part)}"
        return self.result(part)

    def lent(self, part: Parameter, name: str) -> tuple[list[str], str]:
        """Statements that make the C argument, and the argument."""
        match part.kind:
            case Kind.TEXT | Kind.BYTES:
                return [], f"&loader.Text.of({name})"
            case Kind.TEXTS:
                return [], f"&loader.Texts.ofConst({name})"
            case Kind.NUMBERS | Kind.LIST:
                return [], f"&loader.List({_item(part)}).ofConst({name})"
            case Kind.STRUCT if _sized(part):
                lent = f"lent_{name.strip('@').strip(chr(34))}"
                size = f"{lent}.size = @sizeOf({_named(part)});"
                return [f"var {lent} = {name};", size], f"&{lent}"
            case Kind.STRUCT:
                return [], f"&{name}"
        return [], name

    def room(self, part: Parameter, name: str) -> list[str]:
        """Statements that make room for a C result."""
        made = self.c_result(part).removeprefix("*")
        lines = [f"var {name} = std.mem.zeroes({made});"]
        if part.kind is Kind.STRUCT and _sized(part):
            lines.append(f"{name}.size = @sizeOf({made});")
        return lines

    def read(self, part: Parameter, name: str) -> str:
        """The C result as the author gets it."""
        if part.kind in (Kind.TEXT, Kind.BYTES, Kind.NUMBERS, Kind.LIST):
            return f"{name}.slice()"
        return name


def _sized(part: Parameter) -> bool:
    return part.struct is not None and part.struct.sized


def _named(part: Parameter) -> str:
    if part.struct is None:
        raise AssertionError(f"{part.name} is of a struct")
    return ident(part.struct.name)


def _item(part: Parameter) -> str:
    return _named(part) if part.kind is Kind.LIST else part.element


def _number(part: Parameter) -> str:
    match part.kind:
        case Kind.FLOAT:
            return "f32"
        case Kind.DOUBLE:
            return "f64"
        case Kind.INTEGER:
            return ident(part.enum) if part.enum else integer(part, _WORDS)
    found = f"{part.name!r} is {part.kind.value}"
    raise ContractError("Zig bindings cannot carry this", found=found, cure="Write this plugin in C")
