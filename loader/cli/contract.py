"""`loader contract`: what was understood of a contract's header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.contracts import add_include, required_contract
from loader.contract.kinds import Field, Parameter

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.contract.kinds import Function

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader contract HEADER [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("HEADER", "a C header, or the name of one that ships", least=1, most=1)
    add_include(parser)


def run(options: Namespace) -> int:
    """Reads a contract's header and shows what was understood: functions, parameters, structs, services."""
    options.contract = options.words[0]
    contract = required_contract(options)
    if options.json:
        streams.write_json(contract.to_dict())
        return 0
    lines = [f"contract {contract}, marker {contract.marker}", ""]
    lines += [_line(function) for function in contract.functions]
    for struct in contract.structs:
        members = ", ".join(map(_field, struct.fields))
        lines += ["", f"struct {struct.name} ({struct.size} bytes)  {members}"]
    for service in contract.services:
        lines += ["", f"service {service.id}", *(f"  {_line(function)}" for function in service.functions)]
    streams.write("\n".join([*lines, ""]))
    return 0


def _line(function: Function) -> str:
    optional = "  (optional)" if function.optional else ""
    parameters = ", ".join(map(_parameter, function.parameters))
    return f"{function.name}({parameters}) -> {_given(function)}{optional}"


def _given(function: Function) -> str:
    if function.result is not None:
        return function.result.kind.value
    written = [] if function.gives is None else [function.gives.value]
    return ", ".join([*written, *map(_parameter, function.results)]) or "text to write"


def _parameter(parameter: Parameter) -> str:
    name = parameter.name
    if parameter.element:
        return f"{name}: {parameter.element} array" + (", changed in place" if parameter.writable else "")
    return f"{name}: {_kind(parameter)}"


def _field(field: Field) -> str:
    return f"{field.name}: {_kind(field)}" + (f"[{field.count}]" if field.count else "")


def _kind(part: Field | Parameter) -> str:
    if part.struct is not None:
        return part.struct.name
    if part.enum:
        return part.enum
    width = f" of {part.size * 8} bits" if part.kind.value == "integer" and isinstance(part, Parameter) else ""
    return f"{part.kind.value}{width}"
