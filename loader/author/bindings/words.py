"""What the generators share: places of a function's parameters in C, names, comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loader.contract.header import LOADER_ABI
from loader.contract.kinds import BOOL
from loader.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from loader.contract.contract import Contract
    from loader.contract.kinds import Function, Parameter

__all__ = [
    "Place",
    "Table",
    "all_functions",
    "camel",
    "check_names",
    "comment",
    "integer",
    "markers",
    "members",
    "places",
    "short",
    "tables",
    "unused",
]


class Place(NamedTuple):
    """A parameter or result of a C function. number: among those after the call (and the table, of a table's)."""

    number: int
    part: Parameter
    result: bool


class Table(NamedTuple):
    """Functions of the application's: an interface, or a service, which has an id."""

    name: str
    functions: tuple[Function, ...]
    service: str


def tables(contract: Contract) -> list[Table]:
    """The interfaces, then the services."""
    found = [Table(each.name, each.functions, "") for each in contract.interfaces]
    return found + [Table(each.table, each.functions, each.id) for each in contract.services]


def all_functions(contract: Contract) -> list[Function]:
    """The plugin's, then those of tables."""
    return [*contract.functions, *(each for table in tables(contract) for each in table.functions)]


def places(function: Function) -> list[Place]:
    """All in C's order."""
    results = {each.position: each for each in function.results}
    parameters = iter(function.parameters)
    found = []
    for number in range(len(function.parameters) + len(results)):
        result = number in results
        found.append(Place(number, results[number] if result else next(parameters), result))
    return found


def members(contract: Contract, cls: str) -> list[Function]:
    """The methods of a class: what takes an instance first, but for the function that frees it."""
    return [each for each in contract.functions if each.cls == cls and each.role in ("method", "next")]


def markers(contract: Contract) -> list[str]:
    """What a plugin exports beside its functions and the base ABI's own marker, where no header in C says it.

    The fingerprint too where the header has no stamp: what was generated holds for these declarations alone, and a
    plugin whose bindings were not written anew after the header changed is refused by it.
    """
    found = [contract.marker, f"{contract.marker}_is_0x{contract.fingerprint}"]
    return [*found, f"loader_abi_{LOADER_ABI}_{contract.needs}"] if contract.needs else found


def camel(name: str) -> str:
    """codec_encoder → CodecEncoder."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def short(contract: Contract, name: str) -> str:
    """A type's name without the contract's: codec_encoder → Encoder. C has no other namespaces."""
    rest = name.removeprefix(f"{contract.name}_")
    return camel(rest if rest[:1].isalpha() else name)


def unused(name: str, taken: Collection[str]) -> str:
    """The name, with an underline behind it for each time that it is taken."""
    while name in taken:
        name += "_"
    return name


def integer(part: Parameter, words: dict[str, str]) -> str:
    """An integer's type by its width ("i64"), in the words of a language; `bool` by "bool"."""
    if part.values == BOOL and not part.enum:
        return words["bool"]
    return words[f"{'i' if part.signed else 'u'}{part.size * 8}"]


def comment(text: str, margin: str = "", mark: str = "//") -> list[str]:
    """Lines of a comment. A backslash at a line's end would go on in C++: it gets something behind it."""
    lines = [f"{margin}{mark} {line}".rstrip() for line in text.splitlines()]
    return [line + " ." if line.endswith("\\") else line for line in lines]


def check_names(language: str, reserved: Collection[str], names: Iterable[tuple[str, str]]) -> None:
    """Raises ContractError for a name that is a key word of the language. names: what it is, and itself."""
    for what, name in names:
        if name in reserved:
            reason = f"{what} {name!r} is a key word of {language}"
            raise ContractError("no bindings can be made", found=reason, cure="Rename it in the header")
