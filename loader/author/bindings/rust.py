"""A contract in Rust: a module with a trait of its functions, one for each of its classes, and a macro that exports.

    trait Codec             the contract's functions, and its classes as associated types; the author implements it
    trait Encoder           the methods of codec_encoder
    struct Progress         what calls an interface or a service
    export_codec!(MyCodec)  markers and extern "C" functions, which hand on to the implementation

All that is unsafe is in macros of the kit, include/rust/src: what is generated, and what the author writes, compiles
under #![forbid(unsafe_code)]. Everything that is borrowed has the lifetime of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings import first_line
from loader.author.bindings.naming import OWN, borrows, choice, enum_user, notes, value_names
from loader.author.bindings.rust_exports import export_lines
from loader.author.bindings.rust_types import Types, call_name, identifier, together
from loader.author.bindings.words import comment, members, places, tables, unused
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.contract.contract import Contract
    from loader.contract.kinds import Class, Function, Parameter, Struct

__all__ = ["generate"]

_MODULE = """\
//! Contract {version}: what a plugin in Rust implements. In the crate's root:
//!
//!     mod {module};
//!     struct Plugin;
//!     impl {module}::{trait} for Plugin {{ … }}
//!     {module}::export_{name}!(Plugin);
//!
//! What functions receive is borrowed until they return, which `'call` says: an implementation may leave the
//! lifetimes out. An `Err` or a panic is an error of that call, with its text.
#![cfg_attr(rustfmt, rustfmt_skip)]
#![allow(clippy::too_many_arguments, clippy::type_complexity, dead_code, missing_docs, non_snake_case)]
#![allow(unused_imports, unused_macros)]

use ::native_plugin as kit;
"""


def generate(contract: Contract, header: str) -> dict[str, str]:
    """The file codec.rs of a contract codec."""
    made = _Rust(contract)
    return {f"{made.module}.rs": "\n".join([first_line(contract, header), *made.lines(), ""])}


class _Rust:
    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.types = Types(contract)
        self.module = unused(contract.name, ["native_plugin", "self", "super", "crate"])
        if identifier(self.module) != self.module:
            self.module += "_contract"

    def lines(self) -> Iterator[str]:
        values = {"version": self.contract, "name": self.contract.name, "module": self.module}
        yield from _MODULE.format(trait=self.types.trait, **values).splitlines()
        yield from self._enums()
        yield from self._structs()
        yield from self._tables()
        for declared in self.contract.classes:
            yield from self._class(declared)
        yield from self._trait()
        yield from export_lines(self.contract, self.module)

    # ---- Types ---------------------------------------------------------------------------------------------------

    def _enums(self) -> Iterator[str]:
        enums = self.contract.enums
        if enums:
            yield from ["", "kit::enums! {"]
        for name, values in enums.items():
            yield f"    /// `{name}`."
            yield f"    {self.types.names[name]}: {self._repr(name)} {{"
            for value, number in value_names(name, values, self.contract):
                yield f"        {identifier(value, ('name',))} = {number},"
            yield "    }"
        if enums:
            yield "}"

    def _repr(self, enum: str) -> str:
        """The integer that C has in an enum's place."""
        part = enum_user(self.contract, enum)
        return f"{'i' if part.signed else 'u'}{part.size * 8}"

    def _structs(self) -> Iterator[str]:
        structs = self.contract.structs
        if structs:
            yield from ["", "kit::structs! {"]
        for struct in structs:
            yield from self._struct(struct)
        if structs:
            yield "}"

    def _struct(self, struct: Struct) -> Iterator[str]:
        life = "<'call>" if borrows(struct.fields) else ""
        yield f"    /// `{struct.name}`."
        yield f"    {'sized' if struct.sized else 'plain'} struct {self.types.names[struct.name]}{life} {{"
        for field in struct.fields:
            yield f"        {identifier(field.name)}: {self.types.field(field)} = {field.offset},"
        yield f"    }} = {struct.size};"

    def _tables(self) -> Iterator[str]:
        for name, functions, service in tables(self.contract):
            yield from ["", "kit::table! {"]
            if service:
                yield f'    /// Service "{service}": `call.service::<{self.types.names[name]}>()`.'
                yield f'    service {self.types.names[name]} = "{service}" {{'
            else:
                yield f"    /// Interface `{name}`."
                yield f"    interface {self.types.names[name]} {{"
            for number, function in enumerate(functions):
                yield from self._line(function, 8 + 8 * number)
            yield from ["    }", "}"]

    def _line(self, function: Function, offset: int) -> Iterator[str]:
        """A function of the application's, as kit::table! wants it."""
        parameters = [f"{self._name(part)}: {self.types.passed(part)}" for part in function.parameters]
        kinds = [self.types.found(part, "'call") for part in function.results]
        order = [
            f"out {self._name(each.part)}: {self.types.taken(each.part, '')}"
            if each.result
            else f"in {self._name(each.part)}"
            for each in places(function)
        ]
        yield from comment(function.doc, "        ", "///")
        yield f"        fn {identifier(function.name)} @ {offset} ({', '.join(parameters)})"
        yield f"            -> {together(kinds)} = {together(map(self._name, function.results))};"
        yield f"            [{', '.join(order)}];"

    @staticmethod
    def _name(part: Parameter) -> str:
        return identifier(part.name, ("call",))

    # ---- What the author writes ------------------------------------------------------------------------------------

    def _class(self, declared: Class) -> Iterator[str]:
        name = self.types.names[declared.name]
        plugin = f"<Plugin: {self.types.trait}>" if self.types.needs_plugin(declared.name) else ""
        threads = "several threads at once call its methods" if declared.shared else "one thread at a time has it"
        bounds = "Send + Sync" if declared.shared else "Send"
        made = [each for each in self.contract.functions if each.cls == declared.name and each.role == "new"]
        yield ""
        yield from comment(declared.doc, "", "///")
        yield f"/// An instance of `{declared.name}`. It is dropped when the application has no use for it any"
        yield f"/// more, on any thread; {threads}."
        yield f"pub trait {name}{plugin}: {bounds} + Sized + 'static {{"
        for function in [*made, *members(self.contract, declared.name)]:
            yield from self._declared(function)
        yield "}"
        if self._is_optional(declared.name):
            yield from self._absent(declared)

    def _is_optional(self, cls: str) -> bool:
        return self.contract.function(f"{cls}_free").optional

    def _absent(self, declared: Class) -> Iterator[str]:
        """The class of a plugin that does not have it."""
        generic = self.types.needs_plugin(declared.name)
        trait = self.types.names[declared.name] + ("<Plugin>" if generic else "")
        yield from ["", "#[allow(unused_variables)]"]
        yield f"impl{f'<Plugin: {self.types.trait}>' if generic else ''} {trait} for ::core::convert::Infallible {{"
        for function in self.contract.functions:
            if function.cls != declared.name or function.role == "free":
                continue
            if function.role == "new":
                yield f'    {self._signature(function)} {{ Err("not exported".into()) }}'
            elif not function.optional:
                yield f"    {self._signature(function)} {{ match *self {{}} }}"
        yield "}"

    def _trait(self) -> Iterator[str]:
        names = [each.name for each in self.contract.classes]
        yield from [
            "",
            f"/// The functions of contract {self.contract}.",
            f"pub trait {self.types.trait}: Sized + 'static {{",
        ]
        for name in names:
            known = self.types.names[name]
            absent = (
                "; `std::convert::Infallible` in a plugin that does not give it" if self._is_optional(name) else ""
            )
            yield f"    /// `{name}`{absent}."
            yield f"    type {known}: {known}{'<Self>' if self.types.needs_plugin(name) else ''};"
        for function in self.contract.functions:
            if not function.cls:
                yield from self._declared(function)
        yield "}"

    def _declared(self, function: Function) -> Iterator[str]:
        """A function of a trait."""
        yield ""
        yield from comment("\n".join(notes(function)), "    ", "///")
        if function.role == "next":
            yield "    /// `None`: there is nothing more."
        if not function.optional or function.role == "new":
            yield f"    {self._signature(function)};"
            return
        names = [call_name(function), *(part.name for part in function.parameters[function.role in OWN :])]
        yield f"    /// Optional: to give it, write it and export_{self.contract.name}!(…; {choice(function)})."
        yield f"    {self._signature(function)} {{"
        yield f"        let _ = {together(map(identifier, names))};"
        yield '        Err("not exported".into())'
        yield "    }"

    def _signature(self, function: Function) -> str:
        own = function.role in OWN
        parts = ["&self" if self.types.shared[function.cls] else "&mut self"] if own else []
        parts.append(f"{call_name(function)}: &mut kit::Call<'call>")
        parts += [f"{identifier(part.name)}: {self._taken(part, function)}" for part in function.parameters[own:]]
        answer = together(self._given(part, function) for part in function.results)
        if function.role == "next":
            answer = f"Option<{answer}>"
        name = identifier(function.method if function.cls else function.name)
        return f"fn {name}<'call>({', '.join(parts)}) -> kit::Result<{answer}>"

    def _plugin_type(self, cls: str, function: Function) -> str:
        return f"{'Plugin' if function.cls else 'Self'}::{self.types.names[cls]}"

    def _taken(self, part: Parameter, function: Function) -> str:
        if part.kind is Kind.INSTANCE:
            return f"&{'' if self.types.shared[part.cls] else 'mut '}{self._plugin_type(part.cls, function)}"
        return self.types.taken(part, "'call")

    def _given(self, part: Parameter, function: Function) -> str:
        if part.kind is Kind.INSTANCE:
            return (
                "Self"
                if function.role == "new" and part.cls == function.cls
                else self._plugin_type(part.cls, function)
            )
        return self.types.given(part, "'call")
