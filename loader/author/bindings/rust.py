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
from loader.author.bindings.naming import borrows, choice, notes, value_names
from loader.author.bindings.rust_types import Types, identifier
from loader.author.bindings.words import comment, members, places, unused
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loader.contract.contract import Contract
    from loader.contract.kinds import Class, Function, Parameter, Struct

__all__ = ["generate"]

_ALLOWED = "#[allow(clippy::too_many_arguments, clippy::type_complexity)]"
_OWN = ("method", "next")  # they have an instance
_MODULE = """\
//! Contract {version}: what a plugin in Rust implements. In the crate's root:
//!
//!     mod {module};
//!     struct Plugin;
//!     impl {module}::{trait} for Plugin {{ … }}
//!     {module}::export_{name}!(Plugin);
//!
//! What functions receive is borrowed until they return, which `'call` says: an implementation may leave the lifetimes
//! out. An `Err` or a panic is an error of that call, with its text.
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
        self.outside = Types(contract, "contract::")  # in the macro, which is expanded elsewhere
        self.module = unused(contract.name, ["kit", "native_plugin", "self", "super", "crate"])
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
        yield from self._export()

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
        parts = [part for function in self._functions() for part in (*function.parameters, *function.results)]
        fields = [field for struct in self.contract.structs for field in struct.fields]
        part = next(each for each in (*parts, *fields) if each.enum == enum)
        return f"{'i' if part.signed else 'u'}{part.size * 8}"

    def _functions(self) -> Iterator[Function]:
        yield from self.contract.functions
        for table in (*self.contract.interfaces, *self.contract.services):
            yield from table.functions

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
        tables: list[tuple[str, Sequence[Function], str]]
        tables = [(each.name, each.functions, "") for each in self.contract.interfaces]
        tables += [(each.table, each.functions, each.id) for each in self.contract.services]
        for name, functions, service in tables:
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
        yield f"            -> {_tuple(kinds)} = {_tuple(map(self._name, function.results))};"
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
        yield f"/// An instance of `{declared.name}`. It is dropped when the application has no use for it any more, on any"
        yield f"/// thread; {threads}."
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
                yield f"    {self._signature(function)} {{ Err(\"not exported\".into()) }}"
            elif not function.optional:
                yield f"    {self._signature(function)} {{ match *self {{}} }}"
        yield "}"

    def _trait(self) -> Iterator[str]:
        names = [each.name for each in self.contract.classes]
        yield from ["", f"/// The functions of contract {self.contract}.", f"pub trait {self.types.trait}: Sized + 'static {{"]
        for name in names:
            known = self.types.names[name]
            absent = "; `std::convert::Infallible` in a plugin that does not give it" if self._is_optional(name) else ""
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
        names = [self._call(function), *(part.name for part in function.parameters[function.role in _OWN :])]
        yield f"    /// Optional: to give it, write it and export_{self.contract.name}!(…; {choice(function)})."
        yield f"    {self._signature(function)} {{"
        yield f"        let _ = {_tuple(map(identifier, names))};"
        yield '        Err("not exported".into())'
        yield "    }"

    def _signature(self, function: Function) -> str:
        own = function.role in _OWN
        parts = ["&self" if self.types.shared[function.cls] else "&mut self"] if own else []
        parts.append(f"{self._call(function)}: &mut kit::Call<'call>")
        parts += [f"{identifier(part.name)}: {self._taken(part, function)}" for part in function.parameters[own:]]
        answer = _tuple(self._given(part, function) for part in function.results)
        if function.role == "next":
            answer = f"Option<{answer}>"
        name = identifier(function.method if function.cls else function.name)
        return f"fn {name}<'call>({', '.join(parts)}) -> kit::Result<{answer}>"

    def _call(self, function: Function) -> str:
        """What the call is named, which no parameter is."""
        return unused("call", [part.name for part in (*function.parameters, *function.results)])

    def _plugin_type(self, cls: str, function: Function) -> str:
        return f"{'Plugin' if function.cls else 'Self'}::{self.types.names[cls]}"

    def _taken(self, part: Parameter, function: Function) -> str:
        if part.kind is Kind.INSTANCE:
            return f"&{'' if self.types.shared[part.cls] else 'mut '}{self._plugin_type(part.cls, function)}"
        return self.types.taken(part, "'call")

    def _given(self, part: Parameter, function: Function) -> str:
        if part.kind is Kind.INSTANCE:
            return "Self" if function.role == "new" and part.cls == function.cls else self._plugin_type(part.cls, function)
        return self.types.given(part, "'call")

    # ---- What the host calls ---------------------------------------------------------------------------------------

    def _export(self) -> Iterator[str]:
        stamp = self.contract.stamp(self.contract.major, self.contract.minor)
        marker = self.contract.marker + (f", 0x{stamp}" if stamp else "")
        yield ""
        yield "/// Exports a plugin: the type that implements the trait, and the optional functions that it has."
        yield f"macro_rules! export_{self.contract.name} {{"
        yield "    ($plugin:ty $(; $($optional:ident),+ $(,)?)?) => {"
        yield f"        {_ALLOWED}"
        yield "        const _: () = {"
        yield "            use ::native_plugin as kit;"
        yield f"            use $crate::{self.module} as contract;"
        yield f"            kit::markers!({marker});"
        for function in self.contract.functions:
            if not function.optional:
                yield from self._exported(function)
        yield "        };"
        yield f"        $($($crate::{self.module}::export_{self.contract.name}!(@$optional $plugin);)+)?"
        yield "    };"
        optional = [each for each in self.contract.functions if each.optional]
        for word in dict.fromkeys(map(choice, optional)):
            yield f"    (@{identifier(word)} $plugin:ty) => {{"
            yield f"        {_ALLOWED}"
            yield "        const _: () = {"
            yield "            use ::native_plugin as kit;"
            yield f"            use $crate::{self.module} as contract;"
            for function in optional:
                if choice(function) == word:
                    yield from self._exported(function)
            yield from ["        };", "    };"]
        yield "}"
        yield f"pub(crate) use export_{self.contract.name};"

    def _instance_type(self, cls: str) -> str:
        return f"<$plugin as {self.outside.trait}>::{self.types.names[cls]}"

    def _exported(self, function: Function) -> Iterator[str]:
        margin = " " * 12
        if function.role == "free":
            yield f"{margin}kit::export_free!({identifier(function.name)}, {self._instance_type(function.cls)});"
            return
        call = self._call(function)
        taken = [f"{identifier(each.part.name)}: {self._raw(each.part, result=each.result)}" for each in places(function)]
        yield f"{margin}kit::export_function!(fn {identifier(function.name)}({call}; {', '.join(taken)}) {{"
        yield from (f"{margin}    {line}" for line in self._body(function, call))
        yield f"{margin}}});"

    def _raw(self, part: Parameter, *, result: bool) -> str:
        """A parameter in the line of an exported function."""
        if part.kind is Kind.INSTANCE:
            made = self._instance_type(part.cls)
            if result:
                return f"kit::Out<'_, kit::New<{made}>>"
            return f"kit::{'Shared' if self.types.shared[part.cls] else 'Instance'}<'_, {made}>"
        return f"kit::Out<'_, {self.outside.given(part, chr(39) + '_')}>" if result else self.outside.taken(part, "")

    def _body(self, function: Function, call: str) -> Iterator[str]:
        passed = []
        for at, part in enumerate(function.parameters):
            name = identifier(part.name)
            if part.kind is Kind.INSTANCE:
                changed = not self.types.shared[part.cls]
                yield f"let {'mut ' if changed else ''}{name} = {name}.lock()?;"
                name = f"&mut {name}" if changed else name
            passed.append(name)
            if at == 0 and function.role in _OWN:
                passed.append(call)
        if function.role not in _OWN:
            passed.insert(0, call)
        called = f"{self._target(function)}({', '.join(passed)})"
        results = function.results
        given = unused("given", [part.name for part in (*function.parameters, *results)])
        if function.role == "next":
            names = given if results else "()"
            yield f"let ::core::option::Option::Some({names}) = {called}? else {{"
            yield "    return ::core::result::Result::Err(kit::Status::DONE.into());"
            yield "};"
        elif not results:
            yield called
            return
        else:
            yield f"let {given} = {called}?;"
        # What can fail goes first: an instance that was given is the host's, and after an error nobody's.
        order = sorted(enumerate(results), key=lambda each: each[1].kind is Kind.INSTANCE)
        for at, part in order:
            value = given if len(results) == 1 else f"{given}.{at}"
            yield f"{identifier(part.name)}.set({call}, {value})?;"
        yield "::core::result::Result::Ok(())"

    def _target(self, function: Function) -> str:
        """The author's function, by its path."""
        if not function.cls:
            return f"<$plugin as {self.outside.trait}>::{identifier(function.name)}"
        generic = "<$plugin>" if self.types.needs_plugin(function.cls) else ""
        trait = f"{self.outside.names[function.cls]}{generic}"
        return f"<{self._instance_type(function.cls)} as {trait}>::{identifier(function.method)}"


def _tuple(types: Iterable[str]) -> str:
    """A type or value for none, one or several."""
    listed = list(types)
    return listed[0] if len(listed) == 1 else f"({', '.join(listed)})"
