"""`loader contract`: what was understood of a contract's header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.contracts import add_include, required_contract

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.contract.kinds import Function, Parameter

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
        members = ", ".join(f"{field.name}: {field.kind.value}" for field in struct.fields)
        lines += ["", f"struct {struct.name} ({struct.size} bytes)  {members}"]
    for service in contract.services:
        lines += ["", f"service {service.id}", *(f"  {_line(function)}" for function in service.functions)]
    streams.write("\n".join([*lines, ""]))
    return 0


def _line(function: Function) -> str:
    gives = function.gives if function.result is None else function.result.kind
    optional = "  (optional)" if function.optional else ""
    parameters = ", ".join(map(_parameter, function.parameters))
    return f"{function.name}({parameters}) -> {'text to write' if gives is None else gives.value}{optional}"


def _parameter(parameter: Parameter) -> str:
    if parameter.struct is not None:
        return f"{parameter.name}: {parameter.struct.name}"
    width = f" of {parameter.size * 8} bits" if parameter.kind.value == "integer" else ""
    return f"{parameter.name}: {parameter.kind.value}{width}"
