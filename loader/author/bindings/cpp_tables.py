"""An interface or a service in C++: a class whose members call the functions of a table of the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.words import comment, places, unused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.author.bindings.cpp_types import Names
    from loader.author.bindings.words import Table
    from loader.contract.kinds import Function

__all__ = ["table_class"]


def table_class(names: Names, whole: Table) -> Iterator[str]:
    """The class of a table."""
    table, functions, service = whole
    name = names.of(table)
    for function in functions:
        if len(function.results) > 1:
            yield from ["", f"// What {table}.{function.name} gives.", f"struct {names.row(function, table)} {{"]
            yield from (f"    {names.got(part)} {part.name}{{}};" for part in function.results)
            yield "};"
    yield ""
    if service:
        lent = unused("lent", {function.name for function in functions})
        yield from _SERVICE.format(name=name, table=table, service=service, lent=lent).splitlines()
    else:
        yield from _INTERFACE.format(name=name, table=table).splitlines()
    for function in functions:
        yield from _function(names, table, function)
    yield from ["", "private:", "    loader_call *call_;", f"    const ::{table} *table_;", "};"]


def _function(names: Names, table: str, function: Function) -> Iterator[str]:
    parameters = ", ".join(f"{names.passed(part)}{part.name}" for part in function.parameters)
    answer = "void"
    if function.results:
        row = len(function.results) > 1
        answer = names.row(function, table) if row else names.got(function.results[0])
    yield from ["", *comment(function.doc, "    "), f"    {answer} {function.name}({parameters}) const", "    {"]
    yield f'        loader::detail::check_function(table_, &::{table}::{function.name}, "{function.name}");'
    arguments, results = ["call_", "table_"], []
    taken = {part.name for part in function.parameters}
    for each in places(function):
        c_type = f"loader::detail::Pointed<decltype(::{table}::{function.name}), {each.number + 2}>"
        if each.result:
            room = unused(f"{each.part.name}_given", taken)
            yield from (f"        {line}" for line in names.room(each.part, c_type, room))
            arguments.append(f"&{room}")
            results.append(names.read(each.part, room))
        else:
            statements, argument = names.lent(each.part, c_type, each.part.name)
            yield from (f"        {line}" for line in statements)
            arguments.append(argument)
    yield f"        loader::Call(call_).check(table_->{function.name}({', '.join(arguments)}));"
    if results:
        given = results[0] if len(results) == 1 else f"{answer}{{{', '.join(results)}}}"
        yield f"        return {given};"
    yield "    }"


_INTERFACE = """\
// A {table} that the caller brought: what its functions raise ends the call, unless it is caught here.
class {name} {{
public:
    {name}(const loader::Call &call, const ::{table} *table) noexcept : call_(call.raw()), table_(table) {{}}
    {name}(const {name} &) = delete;
    {name} &operator=(const {name} &) = delete;"""

_SERVICE = """\
// The service {service}. Hold no lock across a call of it.
class {name} {{
public:
    // Throws loader::Error if the application does not lend it.
    explicit {name}(const loader::Call &call)
        : call_(call.raw()), table_(call.service<::{table}>("{service}"))
    {{
        if (table_ == nullptr)
            throw loader::Error("the application does not lend the service {service}");
    }}
    // Whether the application lends it.
    static bool {lent}(const loader::Call &call) noexcept
    {{
        return call.service<::{table}>("{service}") != nullptr;
    }}
    {name}(const {name} &) = delete;
    {name} &operator=(const {name} &) = delete;"""
