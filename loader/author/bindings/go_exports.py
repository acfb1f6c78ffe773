"""What exports a contract's functions in Go: one for each, which hands on to what the author registered.

A function whose name means something else in Go (`range`, `error`) has another one there, and a step in C that has
its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.author.bindings.go_types import go_name, identifier
from loader.author.bindings.naming import OWN, choice
from loader.author.bindings.words import places, unused
from loader.contract.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.author.bindings.go_types import Types
    from loader.author.bindings.words import Place
    from loader.contract.kinds import Function

__all__ = ["exported", "renamed"]

_NUMBERS = {"float32": "float", "float64": "double", "unsafe.Pointer": "void *", "uintptr": "uintptr_t"}
_C = """\
#include <stdint.h>

#ifdef _WIN32
#  define EXPORT __declspec(dllexport)
#else
#  define EXPORT
#endif
"""


def exported(types: Types, function: Function) -> Iterator[str]:
    """What C calls, of one function."""
    name = go_name(types.contract, function.name)
    yield f"//export {name}"
    if function.role == "free":
        yield from [f"func {name}(instance uintptr) {{ binding.Free(instance) }}", ""]
        return
    taken = [f"{identifier(each.part.name)} {_raw(types, each)}" for each in places(function)]
    yield f"func {name}({', '.join(['call unsafe.Pointer', *taken])}) int32 {{"
    yield "\treturn enter(call, func(call *plugin.Call) error {"
    yield from (f"\t\t{line}" for line in _inside(types, function))
    yield from ["\t})", "}", ""]


def _raw(types: Types, place: Place) -> str:
    return "unsafe.Pointer" if place.result else types.raw(place.part)


def renamed(types: Types, functions: list[Function]) -> list[str]:
    """The file in C for those of them that have another name in Go; no lines if there are none."""
    lines = []
    for function in functions:
        name = go_name(types.contract, function.name)
        if name != function.name:
            raws = [_raw(types, each) for each in places(function)]
            kinds = ["void *", *(_NUMBERS.get(raw, f"{raw}_t ") for raw in raws)]
            taken = [f"{kind} p{at}".replace("* ", "*").replace("  ", " ") for at, kind in enumerate(kinds)]
            passed = ", ".join(f"p{at}" for at in range(len(kinds)))
            lines += ["", f"int {name}({', '.join(taken)});", f"EXPORT int {function.name}({', '.join(taken)})"]
            lines += ["{", f"    return {name}({passed});", "}"]
    return [*_C.splitlines(), *lines] if lines else []


def _inside(types: Types, function: Function) -> Iterator[str]:
    own = function.role in OWN
    target = types.from_c(function.parameters[0]) if own else "registered"
    if function.optional:
        interface = types.optional(function)
        what = f"interface{{}}({target})" if own else target
        names = [part.name for part in (*function.parameters, *function.results)]
        target, ok = unused("implementation", names), unused("ok", names)
        yield f"{target}, {ok} := {what}.({interface})"
        tag = types.tag(choice(function))
        reason = f"this plugin is built with -tags {tag}, and has no {types.method(function)}"
        yield from [f"if !{ok} {{", f'\treturn plugin.Fail(plugin.Failed, "{reason}")', "}"]
    passed = ["call", *map(types.from_c, function.parameters[own:])]
    called = f"{target}.{types.method(function)}({', '.join(passed)})"
    if not function.results and function.role != "next":
        yield f"return {called}"
        return
    values = [f"given{at}" for at in range(len(function.results))]
    named = {identifier(part.name) for part in (*function.parameters, *function.results)}
    values = [unused(value, named) for value in values]
    more, failed = unused("more", {*named, *values}), unused("err", named)
    ends = [more] if function.role == "next" else []
    yield f"{', '.join([*values, *ends, failed])} := {called}"
    yield from [f"if {failed} != nil {{", f"\treturn {failed}", "}"]
    if ends:
        yield from [f"if !{more} {{", "\treturn plugin.Done", "}"]
    yield from _putting(types, function, values)


def _putting(types: Types, function: Function, values: list[str]) -> Iterator[str]:
    # What can fail goes first: an instance that was given is the host's, and after an error nobody's.
    order = sorted(zip(function.results, values, strict=True), key=lambda each: each[0].kind is Kind.INSTANCE)
    for at, (part, value) in enumerate(order, 1):
        text, fails = types.put(part, value)
        if fails and at == len(order):
            yield f"return {text}"
            return
        if fails:
            yield from [f"if err := {text}; err != nil {{", "\treturn err", "}"]
        else:
            yield text
    yield "return nil"
