"""`loader doctor`: what would fail on this machine, and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import loader
from loader.cli import streams
from loader.cli.contracts import add_built_with, add_contract, built_with, contract_of
from loader.cli.parser import UsageError
from loader.cli.report import stamp_notes
from loader.errors import LoaderError, PluginNotFound
from loader.image.needs import problems, second_go
from loader.trust.handshake import markers, shake_hands

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.contract import Contract
    from loader.image import Image
    from loader.image.needs import Finding

__all__ = ["USAGE", "configure", "run"]

USAGE = "loader doctor FILE [FILE ...] [option ...]\n       loader doctor --isolation"


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("FILE", "plugin files; no code of them is run")
    what = 'what a plugin\'s own process is confined by here; 1 if sandbox="strict" would not start'
    parser.add_argument("--isolation", action="store_true", help=what)
    add_contract(parser)
    add_built_with(parser)


def run(options: Namespace) -> int:
    """Looks for what would fail if the files were loaded on this machine, in one process, without loading
    them: "fails" is certain, "mind" may fail or do harm later. The exit code is 1 if there is any of it, and
    3 if a file is not there. A "note" stands in nobody's way.
    """
    if options.isolation:
        return _isolation(options)
    if not options.words:
        raise UsageError("there is no FILE", cure="Name plugin files, or say --isolation")
    contract, theirs = contract_of(options), built_with(options)
    images: dict[str, Image] = {}
    reports: dict[str, list[dict[str, Any]]] = {}
    for path in options.words:
        reports[path] = _findings(path, contract, theirs, images)
    absent = any(finding.pop("absent", False) for findings in reports.values() for finding in findings)
    names = {id(image): path for path, image in images.items()}
    for image, problem in second_go(images.values()):
        reports[names[id(image)]].append(_of_problem(problem))
    bad = sum(bool(findings) for findings in reports.values())
    code = PluginNotFound.exit_code if absent else 1 if bad else 0
    if options.json:
        files = [
            {"path": path, "findings": findings, "notes": _notes(images.get(path), contract)}
            for path, findings in reports.items()
        ]
        streams.write_json({"files": files, "with findings": bad})
        return code
    for path, findings in reports.items():
        good = "" if findings else f" nothing stands in the way{_remark(images[path])}"
        streams.write(f"{streams.printable(path)}:{good}\n")
        for finding in findings:
            mark = "fails" if finding["fatal"] else "mind "
            streams.write(f"  {mark}  {streams.printable(finding['message'])}\n")
        for note in _notes(images.get(path), contract):
            streams.write(f"  note   {streams.printable(note)}\n")
    return code


def _isolation(options: Namespace) -> int:
    from loader.cli.confinement import examine  # noqa: PLC0415 - for this question only

    if options.words:
        raise UsageError("--isolation is about this machine, not about files", cure="Leave them out")
    values, lines = examine()
    if options.json:
        streams.write_json(values)
    else:
        streams.write("\n".join([*lines, ""]))
    return 0 if values["strict"] else 1


def _remark(image: Image) -> str:
    """What is no obstacle, but perhaps not what the user thinks."""
    return "" if markers(image) else ", but it is a library and not a plugin: it exports no contract's marker"


def _notes(image: Image | None, contract: Contract | None) -> list[str]:
    return [] if image is None or not markers(image) else stamp_notes(image, contract)


def _findings(
    path: str, contract: Contract | None, theirs: Contract | None, images: dict[str, Image]
) -> list[dict[str, Any]]:
    """What is to be said about one file. It is noted in `images`, if it is one."""
    try:
        image = images[path] = loader.read_image(path)
    except PluginNotFound as error:
        return [{**_finding(error), "absent": True}]
    except LoaderError as error:
        return [_finding(error)]
    findings = [_of_problem(problem) for problem in problems(image)]
    if contract is not None and image.mismatch() is None:
        try:
            shake_hands(image, contract, built_with=theirs)
        except LoaderError as error:
            if all(finding["what"] != error.what for finding in findings):
                findings.append(_finding(error))
    return findings


def _of_problem(problem: Finding) -> dict[str, Any]:
    fields = {name: getattr(problem, name) for name in ("what", "expected", "found", "cure", "fatal")}
    return {**fields, "message": str(problem)}


def _finding(error: LoaderError) -> dict[str, Any]:
    message = str(error).removeprefix(f"{error.path}: ")
    fields = {name: getattr(error, name) for name in ("what", "expected", "found", "cure")}
    return {**fields, "fatal": True, "message": message}
