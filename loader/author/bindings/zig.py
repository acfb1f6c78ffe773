"""A contract in Zig: its structs and enums, and exportPlugin, which exports an author's functions.

An author writes a struct with a function for each of the contract's, and a struct within for each class:

    codec.exportPlugin(Codec)    C functions that call Codec.scale and so on, and return no error but a status
    Codec.Encoder                init and deinit, and the methods of codec_encoder
    codec.Progress               what calls an interface or a service

What they call is in include/zig/loader.zig; here is only what differs from contract to contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings import first_line
from loader.author.bindings.words import comment, markers, members, places, tables
from loader.author.bindings.zig_types import Names, declared, ident, quoted
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.author.bindings.words import Table
    from loader.contract.contract import Contract
    from loader.contract.kinds import Function

__all__ = ["generate"]


def generate(contract: Contract, header: str) -> dict[str, str]:
    """The file codec.zig of a contract codec."""
    return {f"{contract.name}.zig": "\n".join([*_Zig(contract, header).lines(), ""])}


class _Zig:
    def __init__(self, contract: Contract, header: str) -> None:
        self.contract = contract
        self.header = header
        self.names = Names(contract)

    def lines(self) -> Iterator[str]:
        yield first_line(self.contract, self.header)
        yield from _BEFORE.splitlines()
        yield from declared(self.contract)
        for table in tables(self.contract):
            yield from self._table(table)
        for function in self.contract.functions:
            if len(function.results) > 1:
                yield from self._row(f"What {function.name} gives.", self.names.row(function), function)
        yield from self._export_plugin()
        yield from self._exports()

    def _row(self, doc: str, name: str, function: Function, *, got: bool = False) -> Iterator[str]:
        kind = self.names.got if got else self.names.result
        members_ = ", ".join(f"{ident(part.name)}: {kind(part)}" for part in function.results)
        yield from ["", f"/// {doc}"]
        if _gives_instance(function):
            yield f"pub fn {name}(comptime Plugin: type) type {{"
            yield from [f"    return struct {{ {members_} }};", "}"]
        else:
            yield f"pub const {name} = struct {{ {members_} }};"

    # ---- Interfaces and services -------------------------------------------------------------------------------

    def _table(self, whole: Table) -> Iterator[str]:
        table, functions, service = whole
        name, raw, (call, inner, of) = self.names.of(table), self.names.raw(table), self.names.inner(table)
        for function in functions:
            if len(function.results) > 1:
                row = self.names.row(function, table)
                yield from self._row(f"What {table}.{function.name} gives.", row, function, got=True)
        yield from ["", f"const {raw} = extern struct {{", "    size: usize,"]
        for function in functions:
            words = ", ".join(["*loader.RawCall", f"*const {raw}", *map(self.names.c_type, places(function))])
            yield f"    {ident(function.name)}: ?*const fn ({words}) callconv(.c) c_int,"
        yield from ["};", ""]
        about = (
            f"The service {service}. Hold no lock across a call of it." if service else f"A {table} of the caller's."
        )
        yield from [
            f"/// {about}",
            f"pub const {name} = struct {{",
            f"    {call}: loader.Call,",
            f"    {inner}: *const {raw},",
        ]
        if service:
            yield from ["", "    /// An error with its text if the application does not lend it."]
            yield f"    pub fn {of}(entered_: loader.Call) loader.Error!{name} {{"
            yield f"        const found_ = entered_.service({raw}, {quoted(service)}) orelse"
            message = f"the application does not lend the service {service}"
            message = quoted(message.replace("{", "{{").replace("}", "}}"))
            yield f"            return entered_.fail({message}, .{{}});"
            yield f"        return .{{ .{call} = entered_, .{inner} = found_ }};"
            yield "    }"
        for function in functions:
            yield from self._table_function(table, function)
        yield "};"

    def _table_function(self, table: str, function: Function) -> Iterator[str]:
        names, row = self.names, len(function.results) > 1
        call, inner, _ = names.inner(table)
        own = {part.name: names.local(part.name) for part in (*function.parameters, *function.results)}
        parameters = "".join(f", {own[part.name]}: {names.passed(part)}" for part in function.parameters)
        answer = "void"
        if function.results:
            answer = names.row(function, table) if row else names.got(function.results[0])
        yield from ["", *comment(function.doc, "    ", "///")]
        name = ident(function.name)
        yield f"    pub fn {name}(self: {names.of(table)}{parameters}) loader.Error!{answer} {{"
        yield f"        if (!loader.has(self.{inner}, {quoted(function.name)}) or self.{inner}.{name} == null)"
        older = quoted(f"the application is older than the function {function.name}")
        yield f"            return self.{call}.fail({older}, .{{}});"
        arguments, results = [f"self.{call}.raw", f"self.{inner}"], []
        for each in places(function):
            local = own[each.part.name]
            if each.result:
                yield from (f"        {line}" for line in names.room(each.part, local))
                arguments.append(f"&{local}")
                results.append((ident(each.part.name), names.read(each.part, local)))
            else:
                statements, argument = names.lent(each.part, local)
                yield from (f"        {line}" for line in statements)
                arguments.append(argument)
        yield f"        try self.{call}.check(self.{inner}.{name}.?({', '.join(arguments)}));"
        if row:
            yield f"        return .{{ {', '.join(f'.{field} = {value}' for field, value in results)} }};"
        elif results:
            yield f"        return {results[0][1]};"
        yield "    }"

    # ---- What the author writes --------------------------------------------------------------------------------

    def _export_plugin(self) -> Iterator[str]:
        yield ""
        yield "/// Exports the functions of an author's struct. It has, and may have more of its own:"
        for function in self.contract.functions:
            if function.role not in ("new", "method", "next", "free"):
                yield from self._wanted(function, "    ")
        for each in self.contract.classes:
            yield from ["///"]
            threads = "several threads at once may be" if each.shared else "one thread at a time is"
            text = f"An instance of {each.name}; {threads} in it."
            yield from comment(f"{each.doc}\n{text}" if each.doc else text, "", "///     //")
            yield f"///     pub const {self.names.of(each.name)} = struct {{"
            for function in self.contract.functions:
                if function.cls == each.name and function.role == "new":
                    yield from self._wanted(function, "        ")
            for function in members(self.contract, each.name):
                yield from self._wanted(function, "        ")
            name = self.names.of(each.name)
            yield f"///         pub fn deinit(self: *{name}) void // if there is something to free"
            yield "///     };"
        yield from ["pub fn exportPlugin(comptime Plugin: type) void {", '    loader.exportMarker("loader_abi_1");']
        yield from (f'    loader.exportMarker("{each}");' for each in markers(self.contract))
        yield "    const exports = Exports(Plugin);"
        for each in self.contract.classes:
            name = self.names.of(each.name)
            if self.contract.function(f"{each.name}_free").optional:
                continue
            yield f'    loader.wants(Plugin, "{name}", "pub const {name} = struct");'
        for function in self.contract.functions:
            yield from self._export(function)
        yield "}"

    def _wanted(self, function: Function, margin: str) -> Iterator[str]:
        yield from comment(function.doc, "", f"///{margin} //")
        optional = " // optional" if function.optional else ""
        yield f"///{margin} {self._signature(function)}{optional}"

    def _signature(self, function: Function) -> str:
        given = self._given(function).replace("Plugin.", "")  # where the author writes it
        return f"pub fn {_called(function)}({', '.join(self._own_types(function))}) !{given}"

    def _own_types(self, function: Function) -> list[str]:
        method = function.role in ("method", "next")
        first = [f"self: *{self.names.of(function.cls)}"] if method else []
        rest = [f"{part.name}: {self.names.taken(part)}" for part in function.parameters[method:]]
        return [*first, "call: loader.Call", *rest]

    def _given(self, function: Function) -> str:
        if not function.results:
            return "bool" if function.role == "next" else "void"
        if len(function.results) == 1:
            one = self.names.result(function.results[0])
        else:
            one = self.names.row(function) + "(Plugin)" * _gives_instance(function)
        return f"?{one}" if function.role == "next" else one

    def _owner(self, function: Function) -> str:
        return f"Plugin.{self.names.of(function.cls)}" if function.role in ("new", "method", "next") else "Plugin"

    def _export(self, function: Function) -> Iterator[str]:
        exported = f"@export(&exports.{ident(function.name)}, .{{ .name = {quoted(function.name)} }});"
        owner, name = self._owner(function), quoted(_called(function, quote=False))
        there = [f"@hasDecl(Plugin, {quoted(self.names.of(function.cls))})"] if function.role else []
        if function.role != "free":
            there.append(f"@hasDecl({owner}, {name})")
        if function.optional:
            yield from [f"    if ({' and '.join(there)})", f"        {exported}"]
            return
        if function.role == "free":
            yield f"    {exported}"
            return
        yield f"    loader.wants({owner}, {name}, {quoted(self._signature(function))});"
        yield f"    {exported}"

    # ---- What the host calls -----------------------------------------------------------------------------------

    def _exports(self) -> Iterator[str]:
        yield from ["", "fn Exports(comptime Plugin: type) type {", "    return struct {"]
        blank = False
        for function in self.contract.functions:
            if blank:
                yield ""
            blank = True
            lines = self._free(function) if function.role == "free" else self._body(function)
            yield from (f"        {line}" for line in lines)
        yield from ["    };", "}"]

    def _free(self, function: Function) -> Iterator[str]:
        cls = f"Plugin.{self.names.of(function.cls)}"
        yield f"fn {ident(function.name)}(instance_: *{cls}) callconv(.c) void {{"
        yield from [f"    loader.free({cls}, instance_);", "}"]

    def _body(self, function: Function) -> Iterator[str]:
        names, found = self.names, places(function)
        own = [
            f"p{each.number}_: {names.c_result(each.part) if each.result else names.c_type(each)}" for each in found
        ]
        yield f"fn {ident(function.name)}({', '.join(['raw_: *loader.RawCall', *own])}) callconv(.c) c_int {{"
        yield "    const call_ = loader.Call{ .raw = raw_ };"
        method = function.role in ("method", "next")
        taken = [names.from_c(each.part, f"p{each.number}_") for each in found if not each.result]
        taken.insert(1 if method else 0, "call_")
        called = f"{self._owner(function)}.{_called(function)}({', '.join(taken)})"
        results = [each for each in found if each.result]
        failed = "catch |failure_| return loader.failed(call_, failure_)"
        given = self._given(function)
        if function.role == "next" and not results:
            yield f"    const more_: bool = loader.unwrap({called}) {failed};"
            yield from ["    return if (more_) loader.OK else loader.DONE;", "}"]
            return
        if not results:
            yield f"    loader.unwrap({called}) {failed};"
        elif function.role == "next":
            yield f"    const next_: {given} = loader.unwrap({called}) {failed};"
            yield "    const result_ = next_ orelse return loader.DONE;"
        else:
            yield f"    const result_: {given} = loader.unwrap({called}) {failed};"
        # Instances last: nothing after them may fail, or nobody would free them. Arrow's are the host's at once.
        order = {Kind.ARROW: 0, Kind.INSTANCE: 2}
        for each in sorted(results, key=lambda each: order.get(each.part.kind, 1)):
            value = "result_" if len(results) == 1 else f"result_.{ident(each.part.name)}"
            yield f"    {names.to_c(each.part, f'p{each.number}_', value)}"
        yield from ["    return loader.OK;", "}"]


def _gives_instance(function: Function) -> bool:
    return any(part.kind is Kind.INSTANCE for part in function.results)


def _called(function: Function, *, quote: bool = True) -> str:
    name = function.name
    if function.role in ("method", "next"):
        name = function.method
    elif function.role == "new":
        name = "init"
    return ident(name) if quote else name


_BEFORE = """\
//! Import it as a module beside `loader`, which is $(loader zig-dir)/loader.zig, and call exportPlugin at comptime.
const std = @import("std");
const loader = @import("loader");
"""
