"""`loader contract`: what was understood of a contract's header; its stamp; what changed from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.cli import streams
from loader.cli.contract_versions import compare, stamp
from loader.cli.contracts import add_include, contract_named
from loader.cli.parser import UsageError
from loader.contract.header import LOADER_ABI
from loader.contract.kinds import BOOL, Field, Kind, Parameter

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.contract.kinds import Function

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader contract HEADER [--stamp [--again]] | --compare OLD NEW [option ...]"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("HEADER", "a C header, or the name of one that ships", least=1, most=2)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--stamp", action="store_true", help="write the fingerprint of its declarations into it")
    ways.add_argument("--compare", action="store_true", help="what changed, and whether it may in a minor version")
    again = "with --stamp: also over a stamp that does not fit, of a version that nobody has"
    parser.add_argument("--again", action="store_true", help=again)
    add_include(parser)


def run(options: Namespace) -> int:
    """Reads a contract's header and shows what was understood: functions, parameters, structs, services.
    Or stamps it, so that its version cannot change without a word; or compares two, with exit code 1 if
    something changed that must not within a major version.
    """
    usage = f"Usage: {USAGE}"
    if len(options.words) < 1 + options.compare:
        raise UsageError("there are too few words", cure=usage)
    if len(options.words) > 1 + options.compare:
        raise UsageError(f"there are too many words: {' '.join(options.words[1:])}", cure=usage)
    if options.again and not options.stamp:
        raise UsageError("--again without --stamp", cure=usage)
    if options.stamp:
        return stamp(options)
    if options.compare:
        return compare(options)
    contract = contract_named(options.words[0], options)
    if options.json:
        streams.write_json(contract.to_dict())
        return 0
    stamped = "" if contract.stamped else ", not stamped"
    lines = [f"contract {contract}, marker {contract.marker}, fingerprint 0x{contract.fingerprint}{stamped}"]
    lines += [f"needs loader ABI {LOADER_ABI}.{contract.needs}"] if contract.needs else []
    plain = [_line(function) for function in contract.functions if not function.cls]
    lines += ["", *plain] if plain else []
    for each in contract.classes:
        shared = "" if not each.shared else "  (several threads at once)"
        lines += ["", f"class {each.name}{shared}"]
        lines += [f"  {_line(function)}" for function in contract.functions if function.cls == each.name]
    for struct in contract.structs:
        members = ", ".join(map(_field, struct.fields))
        lines += ["", f"struct {struct.name} ({struct.size} bytes)  {members}"]
    for interface in contract.interfaces:
        lines += ["", f"interface {interface.name}", *(f"  {_line(function)}" for function in interface.functions)]
    for service in contract.services:
        lines += ["", f"service {service.id}", *(f"  {_line(function)}" for function in service.functions)]
    streams.write("\n".join([*lines, ""]))
    return 0


def _line(function: Function) -> str:
    optional = "  (optional)" if function.optional else ""
    parameters = ", ".join(map(_parameter, function.parameters))
    given = _given(function)
    return f"{function.name}({parameters})" + (f" -> {given}" if given else "") + optional


def _given(function: Function) -> str:
    written = [] if function.gives is None else [function.gives.value]
    return ", ".join([*written, *map(_parameter, function.results)])


def _parameter(parameter: Parameter) -> str:
    what = f"{parameter.element} array" if parameter.element else _kind(parameter)
    if parameter.kind is Kind.LIST:
        what = f"list of {what}"
    return f"{parameter.name}: {what}" + (", changed in place" if parameter.writable else "")


def _field(field: Field) -> str:
    return f"{field.name}: {_kind(field)}" + (f"[{field.count}]" if field.count else "")


def _kind(part: Field | Parameter) -> str:
    if part.struct is not None:
        return part.struct.name
    if isinstance(part, Parameter) and part.kind in (Kind.INTERFACE, Kind.INSTANCE):
        return part.cls or (part.interface.name if part.interface is not None else "")
    if part.values == BOOL:
        return "bool"
    width = f" of {part.size * 8} bits" if part.kind is Kind.INTEGER else ""
    return part.enum or f"{part.kind.value}{width}"
