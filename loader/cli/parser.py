"""Command lines: what the commands ask of argparse, and the error for what cannot be meant."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from loader.cli import streams
from loader.cures import did_you_mean
from loader.errors import LoaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "EXIT_CODES",
    "Parser",
    "UsageError",
    "add_json",
    "number_of",
    "seconds",
    "some_path",
    "unicode_text",
    "wants_json",
]

EXIT_CODES = """\
exit codes:
  0  good                           4  incompatible, damaged or not loadable
  1  findings, or a write failed    5  not trusted
  2  wrong usage, or no UTF-8       6  a plugin failed or crashed
  3  not found                    130  interrupted (Ctrl-C)
"""


class UsageError(LoaderError):
    """The command line cannot be meant as it is written."""

    exit_code = 2


class Parser(argparse.ArgumentParser):
    """argparse with its errors as UsageError, so that they are shown like all others, also as JSON.

    Options and words may stand in any order, and all that follows -- are words. argparse alone refuses some
    of these orders, other ones from release to release; so it is given a single list of words.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("allow_abbrev", False)  # an option that is added later must not change scripts
        lines = (options.get("description") or "").splitlines()  # a docstring, mostly
        options["description"] = "\n".join(line.strip() for line in lines).strip() or None
        super().__init__(**options)
        self._least, self._most, self._paths = 0, 0, True

    def add_words(
        self, metavar: str, text: str, *, least: int = 0, most: int | None = None, paths: bool = True
    ) -> None:
        """Takes words, at least and at most so many; they are `words` in what :meth:`parse` returns.

        `paths`: none of them may be empty, as an unset variable of a shell is: it would mean the current folder.
        """
        self._paths = paths
        self.add_argument("words", nargs="*", metavar=metavar, help=text)
        self._least, self._most = least, sys.maxsize if most is None else most

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options, and `words`, a list. Raises UsageError."""
        end = _end_of_options(arguments)
        options = self._options(list(arguments[:end]))
        options.words = [*getattr(options, "words", ()), *arguments[end + 1 :]]
        if len(options.words) < self._least:
            self.error(f"there are too few words; {self.format_usage().strip()}")
        if len(options.words) > self._most:
            self.error(f"there are too many words: {' '.join(options.words[self._most :])}")
        if self._paths and "" in options.words:
            self.error("a path is empty")
        return options

    def _options(self, arguments: list[str]) -> argparse.Namespace:
        """What argparse understands. A misspelt option is told first: that one is missing is a consequence."""
        required = [action for action in self._actions if action.required and action.option_strings]
        for action in required:
            action.required = False
        options, unknown = self.parse_known_intermixed_args(arguments)
        wrong = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
        if wrong is not None:
            known = [each for each in self._option_string_actions if each.startswith("--")]
            hint = did_you_mean(wrong, known) or "A word that begins with - comes after --."
            self.error(f"there is no option {wrong}", hint=hint)
        if unknown:
            self.error(f"there are too many words: {' '.join(unknown)}")
        absent = [action for action in required if getattr(options, action.dest) is None]
        if absent:
            names = ", ".join("/".join(action.option_strings) for action in absent)
            self.error(f"the following arguments are required: {names}")
        return options

    def error(self, message: str, *, hint: str | None = None) -> NoReturn:  # noqa: D102 - argparse's
        see = f"See {self.prog} --help"
        raise UsageError(message, cure=see if hint is None else f"{hint} {see}")

    def _print_message(self, message: str, file: object = None) -> None:  # noqa: ARG002 - always standard output
        streams.write(message)  # argparse's own drops the error of a full disk or a closed pipe


def _end_of_options(arguments: Sequence[str]) -> int:
    return arguments.index("--") if "--" in arguments else len(arguments)


def add_json(parser: Parser) -> None:
    """Adds --json."""
    parser.add_argument("--json", action="store_true", help="as a JSON object, errors too")


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether --json is given: known before the rest is understood, as errors of usage are shown by it."""
    return "--json" in arguments[: _end_of_options(arguments)]


def some_path(value: str) -> str:
    """Type of an option that is a path: see :meth:`Parser.add_words`."""
    if not value:
        raise argparse.ArgumentTypeError("the path is empty")
    return value


def unicode_text(value: str) -> str:
    """Type of an option that reaches plugins as text: what is not UTF-8 on the command line is refused."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("it is not valid UTF-8") from None
    return value


def number_of(bits: int, least: int | None = None) -> Callable[[str], int]:
    """Type of an option that is a signed integer of so many bits, decimal or 0x..., and not below `least`."""
    lowest = -(1 << (bits - 1)) if least is None else least
    highest = (1 << (bits - 1)) - 1

    def number(value: str) -> int:
        found = int(value, 0)
        if not lowest <= found <= highest:
            raise argparse.ArgumentTypeError(f"{value} is not between {lowest} and {highest}")
        return found

    return number


def seconds(value: str) -> float:
    """Type of an option that is a time in seconds, more than 0."""
    found = float(value)
    if not found > 0:  # NaN is refused too
        raise argparse.ArgumentTypeError(f"{value} is not a time in seconds above 0")
    return found
