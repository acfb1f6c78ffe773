"""Classes of a contract's header: which function of which class is what, by its name and its first parameter."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from loader.contract.header.misleading import misleading_name
from loader.contract.header.refusal import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from loader.contract.header.declarations import ClassDeclaration
    from loader.contract.header.syntax import Named
    from loader.contract.header.tokens import Token

__all__ = ["check_classes", "freed_class", "role_of"]

#: What instances have themselves.
_RESERVED = ("close", "closed")


def freed_class(classes: Iterable[str], named: Named) -> str | None:
    """The class whose instances this function frees, by its name, or None."""
    return next((cls for cls in classes if named.name == f"{cls}_free"), None)


def role_of(classes: Iterable[str], place: Token, function: Mapping[str, Any]) -> dict[str, str]:
    """`cls` and `role` of a function that is declared at `place`; nothing if it belongs to no class."""
    name, parameters, results = function["name"], function["parameters"], function["results"]
    # The longest name: "a_b_new" makes an a_b, if there are classes a and a_b.
    for cls in sorted(classes, key=len, reverse=True):
        if not name.startswith(f"{cls}_"):
            continue
        short = name[len(cls) + 1 :]
        takes = bool(parameters) and parameters[0].get("cls") == cls
        if short == "new":
            if function["gives"] is not None or [each.get("cls") for each in results] != [cls]:
                expected = f"int {name}(loader_call *call, …, LOADER_OUT {cls} **instance);"
                raise refused(place, f"{name!r} does not give an instance alone", expected=expected, function=name)
            return {"cls": cls, "role": "new"}
        if not takes or _position(results, 0):  # another function with such a name
            continue
        _check_method(cls, short, place, name)
        if short == "next":
            if len(parameters) > 1:
                reason = f"{name!r} takes more than an instance, and is called by `for`"
                raise refused(place, reason, cure="Rename it", function=name)
            return {"cls": cls, "role": "next"}
        return {"cls": cls, "role": "method"}
    return {}


def _position(results: Iterable[Mapping[str, Any]], position: int) -> bool:
    """Whether a result stands at this place, so that the instance is not the first parameter."""
    return any(each["position"] == position for each in results)


def _check_method(cls: str, short: str, place: Token, name: str) -> None:
    if short in _RESERVED:
        reason = f"{name!r} would be a method {short!r}, which instances of {cls} have themselves"
        cure = f"Rename it; what closing does belongs into {cls}_free"
        raise refused(place, reason, cure=cure, function=name)
    if not short or short.startswith("_") or iskeyword(short):
        reason = f"{name!r} would be a method {short!r}, which is no name of one in Python"
        raise refused(place, reason, cure="Rename it", function=name)


def check_classes(classes: Mapping[str, ClassDeclaration], functions: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ContractError for a class whose instances nobody frees, or nobody makes."""
    for cls, declared in classes.items():
        misleading = misleading_name(cls)
        if misleading is not None:
            raise refused(declared.place, f"class {cls!r} {misleading}", cure="Rename the class")
        if f"{cls}_free" not in functions:
            reason = f"class {cls!r} has no function that frees its instances"
            raise refused(declared.place, reason, expected=f"LOADER_EXPORT void {cls}_free({cls} *instance);")
        if not any(each.get("cls") == cls for function in functions.values() for each in function.get("results", ())):
            reason = f"no function gives an instance of class {cls!r}"
            expected = f"LOADER_EXPORT int {cls}_new(loader_call *call, …, LOADER_OUT {cls} **instance);"
            raise refused(declared.place, reason, expected=expected)
        if cls in functions:
            raise refused(declared.place, f"{cls!r} is a class and a function", cure="Rename one")
