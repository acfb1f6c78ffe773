"""`loader doctor`: what would fail on this machine, and the cure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import loader
from loader.cli import streams
from loader.cli.contracts import add_contract, contract_of
from loader.cli.parser import EXIT_CODES
from loader.errors import LoaderError, PluginNotFound
from loader.image.needs import problems, second_go
from loader.trust.handshake import shake_hands

if TYPE_CHECKING:
    from argparse import Namespace

    from loader.cli.parser import Parser
    from loader.contract import Contract
    from loader.image import Image
    from loader.image.needs import Finding

__all__ = ["EPILOG", "USAGE", "configure", "run"]

USAGE = "loader doctor FILE [FILE ...] [option ...]"
EPILOG = EXIT_CODES


def configure(parser: Parser) -> None:
    """Adds the command's words and options."""
    parser.add_words("FILE", "plugin files; no code of them is run", least=1)
    add_contract(parser)


def run(options: Namespace) -> int:
    """Looks for what would fail if the files were loaded on this machine, in one process, without loading
    them: "fails" is certain, "mind" may fail or do harm later.
    """
    contract = contract_of(options)
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
