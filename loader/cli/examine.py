"""`loader doctor`: what would fail on this machine, and the cure. `loader contract`: what a header says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import loader
from loader.cli import streams
from loader.cli.parser import EXIT_CODES, Parser, UsageError
from loader.errors import LoaderError, PluginNotFound

if TYPE_CHECKING:
    from argparse import Namespace, _SubParsersAction
    from collections.abc import Callable

    from loader.contract import Contract, Function, Parameter
    from loader.image import Image
    from loader.image.needs import Problem

__all__ = ["add_commands"]


def add_commands(
    commands: _SubParsersAction[Parser],
    finish: Callable[..., None],
    contract_of: Callable[[Namespace], Contract | None],
) -> None:
    """Adds both. `finish` adds what such commands have in common, `contract_of` reads --contract."""
    usage = "loader doctor FILE [FILE ...] [option ...]"
    what = "what would fail here, and the cure"
    add = commands.add_parser("doctor", usage=usage, help=what, description=_doctor.__doc__, epilog=EXIT_CODES)
    add.add_words("FILE", "plugin files; no code of them is run", least=1)
    finish(add, lambda options: _doctor(options, contract_of(options)))

    usage = "loader contract HEADER [option ...]"
    what = "what a contract's header says"
    add = commands.add_parser(
        "contract", usage=usage, help=what, description=_contract.__doc__, epilog=EXIT_CODES
    )
    add.add_words("HEADER", "a C header, or the name of one that ships", least=1, most=1)
    include = "folder of headers that it includes; may be repeated"
    add.add_argument("-I", "--include", metavar="DIR", action="append", default=[], help=include)
    add.add_argument("--json", action="store_true", help="as a JSON object, errors too")
    add.set_defaults(command=lambda options: _contract(options, contract_of))


# ---- doctor ------------------------------------------------------------------------------------------------


def _doctor(options: Namespace, contract: Contract | None) -> int:
    """Looks for what would fail if the files were loaded on this machine, in one process, without loading
    them: "fails" is certain, "mind" may fail or do harm later.
    """
    from loader.image.needs import second_go  # noqa: PLC0415

    images: dict[str, Image] = {}
    reports: dict[str, list[dict[str, Any]]] = {}
    for path in options.words:
        reports[path] = _findings(path, contract, images)
    names = {id(image): path for path, image in images.items()}
    for image, problem in second_go(images.values()):
        reports[names[id(image)]].append(_of_problem(problem))
    bad = sum(bool(findings) for findings in reports.values())
    if options.json:
        files = [{"path": path, "findings": findings} for path, findings in reports.items()]
        streams.write_json({"files": files, "with findings": bad})
        return 1 if bad else 0
    for path, findings in reports.items():
        streams.write(f"{streams.printable(path)}: {'nothing stands in the way' if not findings else ''}\n")
        for finding in findings:
            mark = "fails" if finding["fatal"] else "mind "
            streams.write(f"  {mark}  {streams.printable(finding['message'])}\n")
    return 1 if bad else 0


def _findings(path: str, contract: Contract | None, images: dict[str, Image]) -> list[dict[str, Any]]:
    """What is to be said about one file. It is noted in `images`, if it is one."""
    from loader.image.needs import problems  # noqa: PLC0415
    from loader.trust.handshake import shake_hands  # noqa: PLC0415

    try:
        image = images[path] = loader.read_image(path)
    except PluginNotFound:  # a file that is not there is no finding about it
        raise
    except LoaderError as error:
        return [_finding(error)]
    findings = [_of_problem(problem) for problem in problems(image)]
    if contract is not None and image.mismatch() is None:
        try:
            shake_hands(image, contract)
        except LoaderError as error:
            findings.append(_finding(error))
    return findings


def _of_problem(problem: Problem) -> dict[str, Any]:
    fields = {name: getattr(problem, name) for name in ("what", "expected", "found", "cure", "fatal")}
    return {**fields, "message": str(problem)}


def _finding(error: LoaderError) -> dict[str, Any]:
    message = str(error).removeprefix(f"{error.path}: ")
    fields = {name: getattr(error, name) for name in ("what", "expected", "found", "cure")}
    return {**fields, "fatal": True, "message": message}


# ---- contract ----------------------------------------------------------------------------------------------


def _contract(options: Namespace, contract_of: Callable[[Namespace], Contract | None]) -> int:
    """Reads a contract's header and shows what was understood: functions, parameters, structs, services."""
    options.contract = options.words[0]
    contract = contract_of(options)
    if contract is None:  # cannot be: there is a HEADER
        raise UsageError("there is no HEADER")
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
