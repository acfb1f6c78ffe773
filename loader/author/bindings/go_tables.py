"""Tables of functions of the application's in Go: interfaces and services.

Go cannot call through a C function pointer, so each has a step in C, which takes texts and arrays apart (a Go pointer
may not lead to another one) and gives results by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.go_types import identifier, is_bool
from loader.author.bindings.words import camel, comment, places, tables, unused
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.author.bindings.go_types import Types
    from loader.contract.contract import Contract
    from loader.contract.kinds import Function, Parameter

__all__ = ["table_lines", "table_preamble"]

_VIEWS = (Kind.TEXT, Kind.BYTES, Kind.NUMBERS, Kind.LIST, Kind.TEXTS)
_BEFORE = """\
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct { const void *data; size_t size; } binding_view;"""


# ---- C -------------------------------------------------------------------------------------------------------------


def table_preamble(contract: Contract) -> list[str]:
    """The steps in C; none where there are no tables."""
    lines = _BEFORE.splitlines() if tables(contract) else []
    for table in tables(contract):
        for number, function in enumerate(table.functions):
            lines += ["", *_step(f"step_{table.name}_{function.name}", function, 8 + 8 * number)]
    return lines


def _number(part: Parameter) -> str:
    """A number's type in C."""
    if part.kind is Kind.FLOAT:
        return "float"
    if part.kind is Kind.DOUBLE:
        return "double"
    return f"{'' if part.signed else 'u'}int{part.size * 8}_t"


def _step(name: str, function: Function, offset: int) -> Iterator[str]:
    found = places(function)
    kinds, taken, before, passed = [], [], [], []
    for each in found:
        n, part = each.number, each.part
        if each.result:
            kinds.append("void *")
            passed.append(f"&answer.r{n}")
            if part.struct is not None and part.struct.sized and part.kind is Kind.STRUCT:
                before.append(f"answer.r{n}[0] = {part.struct.size};")
        elif part.kind in _VIEWS:
            kinds.append("const void *")
            taken += [f"const void *d{n}", f"size_t n{n}"]
            before.append(f"binding_view p{n} = {{d{n}, n{n}}};")
            passed.append(f"&p{n}")
        else:
            made = "const void *" if part.kind is Kind.STRUCT else _number(part)
            kinds.append(made)
            taken.append(f"{made} p{n}".replace("* ", "*"))
            passed.append(f"p{n}")
    slots = ["int status;", *(_slot(each.part, each.number) for each in found if each.result)]
    yield f"typedef struct {{ {' '.join(slots)} }} {name}_answer;"
    yield f"static inline {name}_answer {name}({', '.join(['void *call', 'const void *table', *taken])})"
    yield "{"
    yield f"    int (*function)({', '.join(['void *', 'const void *', *kinds])}) = NULL;"
    yield f"    {name}_answer answer;"
    yield from (f"    {line}" for line in before if line.startswith("binding_view"))
    yield ""
    yield "    memset(&answer, 0, sizeof answer);"
    yield f"    if (*(const size_t *)table >= {offset} + sizeof function)"
    yield f"        memcpy(&function, (const char *)table + {offset}, sizeof function);"
    yield from (f"    {line}" for line in before if not line.startswith("binding_view"))
    yield f"    answer.status = function == NULL ? -1 : function({', '.join(['call', 'table', *passed])});"
    yield from ["    return answer;", "}"]


def _slot(part: Parameter, n: int) -> str:
    """Where a result comes, in C."""
    if part.kind in _VIEWS:
        return f"binding_view r{n};"
    if part.struct is not None:
        return f"uint64_t r{n}[{-(-part.struct.size // 8)}];"
    return f"{_number(part)} r{n};"


# ---- Go ------------------------------------------------------------------------------------------------------------


def table_lines(contract: Contract, types: Types) -> Iterator[str]:
    """A type for each table, and its methods."""
    for table in tables(contract):
        known = types.names[table.name]
        what = f'the service "{table.service}"' if table.service else f"the interface {table.name}"
        yield from [
            "",
            f"// {known} is {what}: the application's. Borrowed, with its call, until the exported function",
        ]
        yield from ["// returns; for the entered goroutine.", f"type {known} struct {{"]
        yield from ["\tcall  *plugin.Call", "\ttable unsafe.Pointer", "}"]
        if table.service:
            yield from ["", f"// {known}Of is the service; false if the application lends none."]
            yield f"func {known}Of(call *plugin.Call) ({known}, bool) {{"
            yield f'\ttable := call.Service("{table.service}")'
            yield from [f"\treturn {known}{{call, table}}, table != nil", "}"]
        for function in table.functions:
            yield from _method(types, known, f"step_{table.name}_{function.name}", function)


def _method(types: Types, known: str, step: str, function: Function) -> Iterator[str]:
    names = {identifier(part.name) for part in function.parameters}
    table, answer = unused("table", names), unused("answer", {*names, "table"})
    taken = [f"{identifier(part.name)} {types.passed(part)}" for part in function.parameters]
    kinds = [*map(types.taken, function.results), "error"]
    results = f"({', '.join(kinds)})" if len(kinds) > 1 else "error"
    found = places(function)
    failed = unused("err", names)
    zeros = [f"given{each.number}" for each in found if each.result]
    yield ""
    yield from comment(function.doc)
    yield f"func ({table} {known}) {camel(function.name)}({', '.join(taken)}) {results} {{"
    for each, zero in zip((each for each in found if each.result), zeros, strict=True):
        yield f"\tvar {zero} {types.taken(each.part)}"
    passed = [f"unsafe.Pointer({table}.call)", f"{table}.table"]
    for each in found:
        if each.result:
            continue
        name = identifier(each.part.name)
        if each.part.kind is Kind.TEXTS:
            yield f"\ttexts{each.number}, {failed} := binding.Texts({table}.call, {name})"
            yield from [f"\tif {failed} != nil {{", f"\t\treturn {', '.join([*zeros, failed])}", "\t}"]
            name = f"texts{each.number}"
        elif each.part.kind is Kind.STRUCT and each.part.struct is not None and each.part.struct.sized:
            yield f"\tsized{each.number} := binding.WithSize({name})"
            name = f"sized{each.number}"
        passed += _passed(each.part, name)
    yield f"\t{answer} := C.{step}({', '.join(passed)})"
    ended = f"binding.Err({table}.call, int({answer}.status))"
    if not zeros:
        yield from [f"\treturn {ended}", "}"]
        return
    yield from [f"\tif {failed} := {ended}; {failed} != nil {{", f"\t\treturn {', '.join([*zeros, failed])}", "\t}"]
    for each in found:
        if each.result:
            yield f"\tgiven{each.number} = {_found(types, each.part, f'{answer}.r{each.number}')}"
    yield from [f"\treturn {', '.join([*zeros, 'nil'])}", "}"]


def _passed(part: Parameter, name: str) -> list[str]:
    """What the step in C is passed for one parameter."""
    if part.kind is Kind.TEXT:
        return [f"binding.Chars({name})", f"C.size_t(len({name}))"]
    if part.kind in _VIEWS:
        return [f"binding.Data({name})", f"C.size_t(len({name}))"]
    if part.kind is Kind.STRUCT:
        return [f"binding.Address(&{name})"]
    if is_bool(part):
        return [f"C.uint8_t(plugin.BoolOf({name}))"]
    return [f"C.{_number(part)}({name})"]


def _found(types: Types, part: Parameter, place: str) -> str:
    """A result, of what the step in C gave."""
    if part.kind in (Kind.TEXT, Kind.BYTES):
        return f"plugin.{part.kind.value.capitalize()}At(unsafe.Pointer(&{place}))"
    if part.kind in _VIEWS:
        return f"binding.Slice[{types.items(part)}](unsafe.Pointer(&{place}))"
    if part.struct is not None:
        known = types.names[part.struct.name]
        return (
            f"binding.GetSized[{known}](unsafe.Pointer(&{place}))"
            if part.struct.sized
            else f"*(*{known})(unsafe.Pointer(&{place}))"
        )
    return f"{place} != 0" if is_bool(part) else f"{types.number(part)}({place})"
