"""Words of a command line -> arguments of a contract's function, by the kinds of its parameters.

    text      the word as it stands
    integer   decimal, 0x…, 0o…, 0b…; or a name that the enum or bool has, which usages list
    float     as Python writes it; double too
    numbers   a JSON array as one word, or hex:… or @FILE: as they lie in memory
    texts     a JSON array of strings
    bytes     hex:00ff…, @FILE, or the word's UTF-8
    struct    a JSON object as one word, or any number of words FIELD=VALUE
    interface -: each call of it is shown

`@-` as a text or as bytes stands for standard input, once; text in JSON is always as it stands.
"""

from __future__ import annotations

import json
from array import array
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from loader._core._call import Array, Arrow, Instance
from loader.cli import streams
from loader.cli.parser import UsageError
from loader.contract import Field, Kind, Parameter
from loader.contract.kinds import BOOL
from loader.contract.rows import Row
from loader.cures import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loader.contract import Function, Interface

__all__ = ["arguments_of", "json_of", "usage_of"]

_REALS = (Kind.FLOAT, Kind.DOUBLE)
_SHOWN = 8  # names of an enum that a message tells
#: Elements of arrays, and how the module array calls them; its "l" has no fixed size.
_CODES = dict(zip(("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64"), "bhiqBHIQfd", strict=True))


def json_of(value: object) -> object:
    """What a function gave, as JSON has it: rows as objects, arrays as arrays, bytes in base64."""
    if isinstance(value, Row):
        return {name: json_of(each) for name, each in value._asdict().items()}
    if isinstance(value, memoryview):
        return value.tolist()
    if isinstance(value, (Array, list, tuple)):
        return [json_of(each) for each in value]
    if isinstance(value, (Arrow, Instance)):  # nothing of them is text
        return repr(value)
    return {"base64": b64encode(value).decode()} if isinstance(value, bytes) else value


def _shown(interface: Interface) -> object:
    """An object whose methods write each call as a line. What gives a result must give one that is right: 0."""

    def method(name: str) -> Callable[..., None]:
        def shown(*arguments: object) -> None:
            words = ", ".join(json.dumps(json_of(each)) for each in arguments)
            streams.message("loader", "called", f"{name}({words})")

        return shown

    for each in interface.functions:
        if each.results:
            reason = f"{each.name} of {interface.name} gives a result, which a command line cannot"
            raise UsageError(reason, cure="Call it from Python")
    return SimpleNamespace(**{each.name: method(each.name) for each in interface.functions})


def usage_of(function: Function) -> str:
    """How a function is called on the command line: "process ROLE:text POST:{id,author}"."""
    method = function.role in ("method", "next")
    words = [f".{function.method}" if method else function.cls or function.name]
    for each in function.parameters[method:]:
        if each.kind is Kind.STRUCT and each.struct is not None:
            words.append(f"{each.name.upper()}:{{{','.join(field.name for field in each.struct.fields)}}}")
        elif each.interface is not None:  # the word that brings one
            words.append(f"{each.name.upper()}:-")
        else:
            words.append(f"{each.name.upper()}:{'|'.join(_value_names(each)) or each.kind.value}")
    return " ".join(words)


def _value_names(part: Parameter | Field) -> list[str]:
    """The names of an enum, or of bool; none of all else. Of many the first."""
    if part.values == BOOL and not part.enum:
        return ["true", "false"]
    names = [name for name, _ in part.values]
    return names if len(names) <= _SHOWN else [*names[:_SHOWN], "…"]


def _kind_of(part: Parameter | Field) -> str:
    """What a value is, in words."""
    names = _value_names(part)
    if names:
        return " or ".join((", ".join(names[:-1]), names[-1]))
    return "a number" if part.kind in _REALS else "an integer" if part.kind is Kind.INTEGER else part.kind.value


def arguments_of(function: Function, words: Iterable[str], read_input: Callable[[], bytes]) -> list[Any]:
    """The values for a function's parameters, in order. Raises UsageError."""
    return _ArgumentReader(function, list(words), read_input).all()


class _ArgumentReader:
    def __init__(self, function: Function, words: list[str], read_input: Callable[[], bytes]) -> None:
        self._function = function
        self._words, self._given = words, words[:]
        self._read_input: Callable[[], bytes] | None = read_input

    def all(self) -> list[Any]:
        parameters = self._function.parameters
        if self._function.role in ("method", "next"):  # the first is the instance
            parameters = parameters[1:]
        values = [self._argument(parameter) for parameter in parameters]
        if self._words:
            raise self._wrong(f"too many arguments, from {self._words[0]!r} on{self._misspelt()}")
        return values

    def _misspelt(self) -> str:
        """What to add where a word has no place: the first of all words that may be a field under another name."""
        structs = [each for each in self._function.parameters if each.kind is Kind.STRUCT]
        fields = {field.name for each in structs if each.struct is not None for field in each.struct.fields}
        for word in self._given:
            name, equals, _ = word.partition("=")
            if structs and equals and name.isidentifier() and name not in fields:
                near = did_you_mean(name, fields)
                owner = " or ".join(each.name for each in structs)
                return f"; {owner} has no field {name!r}" + (f" ({near[0].lower()}{near[1:]})" if near else "")
        return ""

    def _wrong(self, what: str, cure: str | None = None) -> UsageError:
        return UsageError(f"{self._function.name}: {what}", expected=usage_of(self._function), cure=cure)

    def _argument(self, parameter: Parameter) -> object:
        if parameter.kind is Kind.STRUCT and parameter.struct is not None:
            fields = {field.name: field for field in parameter.struct.fields}
            if self._words and self._words[0].lstrip().startswith("{"):
                word = self._words.pop(0)
                return self._object(parameter.name, self._json(parameter.name, word), fields)
            return self._pairs(fields)
        if not self._words:
            raise self._wrong(f"no argument for {parameter.name}")
        if parameter.kind in (Kind.INSTANCE, Kind.ARROW):
            what = "an instance" if parameter.kind is Kind.INSTANCE else "an Arrow array"
            raise self._wrong(f"{parameter.name} is {what}, which a command line cannot bring")
        if parameter.interface is not None:
            if self._words.pop(0) != "-":
                raise self._wrong(f"{parameter.name} is called by the plugin: - shows each call on standard error")
            return _shown(parameter.interface)
        return self._value(parameter, self._words.pop(0))

    def _value(self, part: Parameter | Field, word: str) -> object:
        name, kind = part.name, part.kind
        if isinstance(part, Field) and (part.count or part.struct is not None):
            return self._member(part, self._json(name, word))
        if isinstance(part, Parameter) and kind is Kind.NUMBERS:
            return self._numbers(part, word)
        if kind in (Kind.LIST, Kind.TENSOR):
            return self._json(name, word)
        if kind is Kind.TEXTS:
            texts = self._json(name, word)
            if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
                raise self._wrong(f"{name} is a JSON array of strings, not {word!r}")
            return texts
        try:
            if kind is Kind.INTEGER:
                named = dict(part.values).get(word)
                return int(word, 0) if named is None else named
            if kind in _REALS:
                return float(word)
        except ValueError:
            near = did_you_mean(word, [each for each, _ in part.values])
            raise self._wrong(f"{name} is {_kind_of(part)}, not {word!r}{self._misspelt()}", near) from None
        data = self._bytes(name, word, literal=kind is Kind.TEXT)
        if kind is Kind.BYTES:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self._wrong(f"{name} is not valid UTF-8 at byte {error.start}") from None

    def _numbers(self, parameter: Parameter, word: str) -> array[Any]:
        made = array(_CODES[parameter.element])
        try:
            if word.startswith(("hex:", "@")):
                made.frombytes(self._bytes(parameter.name, word, literal=False))
            else:
                found = self._json(parameter.name, word)
                made.extend(found if isinstance(found, list) else [found])
        except (TypeError, ValueError, OverflowError) as error:
            raise self._wrong(f"{parameter.name} is an array of {parameter.element}: {error}") from None
        return made

    def _json(self, name: str, word: str) -> Any:
        try:
            return json.loads(word)
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"{name} is not valid JSON: {error}") from None

    def _bytes(self, name: str, word: str, *, literal: bool) -> bytes:
        if word == "@-":
            if self._read_input is None:
                raise self._wrong("@- stands for standard input once only")
            read_input, self._read_input = self._read_input, None
            return read_input()
        if not literal and word.startswith("@"):
            try:
                return Path(word[1:]).read_bytes()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise self._wrong(f"{name}: {word[1:]} cannot be read: {reason}") from error
        if not literal and word.startswith("hex:"):
            try:
                return bytes.fromhex(word[4:])
            except ValueError:
                raise self._wrong(f"{name}: what follows hex: is not pairs of hexadecimal digits") from None
        return self._encoded(name, word)

    def _encoded(self, name: str, word: str) -> bytes:
        try:
            return word.encode("utf-8", "surrogateescape")  # the bytes that stood on the command line
        except UnicodeEncodeError as error:  # "\\ud800" in JSON
            raise self._wrong(f"{name} has a lone surrogate at character {error.start}") from None

    def _pairs(self, fields: dict[str, Field]) -> dict[str, object]:
        values: dict[str, object] = {}
        while self._words:
            name, equals, word = self._words[0].partition("=")
            if not equals or name not in fields:
                break
            if name in values:
                raise self._wrong(f"{name}= is given twice")
            del self._words[0]
            values[name] = self._value(fields[name], word)
        return values

    def _object(self, struct: str, found: Any, fields: dict[str, Field]) -> dict[str, object]:
        if not isinstance(found, dict):
            raise self._wrong(f"{struct} is a JSON object, not {json.dumps(found)}")
        values: dict[str, object] = {}
        for name, value in found.items():
            if name not in fields:
                raise self._wrong(f"{struct} has no field {name!r}", did_you_mean(name, fields))
            values[name] = self._member(fields[name], value)
        return values

    def _member(self, field: Field, value: object) -> object:
        if not field.count:
            return self._one(field, value)
        if not isinstance(value, list) or len(value) != field.count:
            raise self._wrong(f"{field.name} is an array of {field.count}, not {json.dumps(value)}")
        return [self._one(field, each) for each in value]

    def _one(self, field: Field, value: object) -> object:
        name, kind = field.name, field.kind
        if field.struct is not None:
            return self._object(name, value, {each.name: each for each in field.struct.fields})
        if kind is Kind.TEXT and isinstance(value, str):
            self._encoded(name, value)
            return value
        if kind is Kind.BYTES and isinstance(value, str):
            return self._bytes(name, value, literal=False)
        if kind is Kind.INTEGER and isinstance(value, int) and (not isinstance(value, bool) or field.values == BOOL):
            return value
        if kind is Kind.INTEGER and isinstance(value, str) and value in dict(field.values):
            return dict(field.values)[value]
        if kind in _REALS and isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        raise self._wrong(f"{name} is {_kind_of(field)}, not {json.dumps(value)}")
