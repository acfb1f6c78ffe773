"""Parameters and results of functions: C types → what a Parameter is made of, or a refusal with line and reason."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from loader.contract.header import MAX_PARAMETERS
from loader.contract.header.complaint import cure_for, cure_for_result, described, why_not
from loader.contract.header.misleading import misleading_counts
from loader.contract.header.refusal import cure_for_class, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.contract.header.declarations import Unit
    from loader.contract.header.structs import Structs
    from loader.contract.header.syntax import Declared, Named, Prototype, Type
    from loader.contract.header.tokens import Token

__all__ = ["Parameters"]

_KINDS = (
    "const loader_text *, const loader_bytes *, const loader_texts *, loader_f64s * and its like, a const pointer "
    "to a struct, an integer, float or double"
)
_RESULTS = (
    "LOADER_OUT and a pointer to an integer, float, double, enum, struct, loader_text, loader_bytes, loader_f64s "
    "or its like"
)
_REALS = ("float", "double")
#: What may be given by a pointer, and not by LOADER_OUT.
_ONLY_TAKEN = ("texts", "tensor", "interface")


class Parameters:
    """`structs`: where those are laid out that parameters are made of."""

    def __init__(self, unit: Unit, declared: Declared, structs: Structs) -> None:
        self.structs = structs
        self._classes = frozenset(unit.classes)
        tables = ((declared.typedefs.get(name), name) for name in unit.interfaces)
        self._interfaces = {made.tag: name for made, name in tables if made is not None and made.what == "struct"}

    def checked(self, name: str, place: Token, made: Prototype) -> tuple[Named, ...]:
        """All parameters of a function of the one shape: int NAME(loader_call *call, …)."""
        if made.returns.what != "integer" or made.returns.spelled != "int":
            reason = f"{name!r} returns {described(made.returns)}"
            raise refused(place, reason, expected="int", cure="Write the result with loader_write", function=name)
        if made.variadic:
            raise refused(place, f"{name!r} is variadic", cure="Name every parameter", function=name)
        parameters = made.parameters or ()
        first = parameters[0].type if parameters else None
        if first is None or first.target is None or first.target.what != "call" or first.target.const:
            found = f"the first parameter of {name!r} is " + ("missing" if first is None else described(first))
            raise refused(place, found, expected="loader_call *", function=name)
        return parameters

    def parts(self, function: str, parameters: Sequence[Named]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Parameters, and results with their positions among them."""
        values = list(zip(self._parameters(function, parameters, MAX_PARAMETERS), parameters, strict=True))
        results = [{**each, "position": at} for at, (each, named) in enumerate(values) if named.out]
        return [each for each, named in values if not named.out], results

    def _parameters(self, function: str, parameters: Sequence[Named], most: int) -> list[dict[str, Any]]:
        words = [each for each in parameters if each.type.what not in _REALS]
        reals = [each for each in parameters if each.type.what in _REALS]
        if max(len(words), len(reals)) > most:
            parameters = words if len(words) > most else reals
            reason = f"{function!r} has {len(parameters)} parameters besides those that every such function has"
            expected = f"at most {most}, and as many float and double"
            place = parameters[most].place
            raise refused(place, reason, expected=expected, cure="Gather some in a struct", function=function)
        for named, reason, meant in misleading_counts(parameters):
            cure = f"Take {meant}; or a number of its own as uint64_t"
            raise refused(named.place, f"in {function!r} {reason}", cure=cure, function=function)
        seen: set[str] = set()
        values = []
        for number, named in enumerate(parameters, 1):
            if named.name is None:
                reason = f"parameter {number} of {function!r} has no name"
                cure = "Name it; callers in Python may pass it by name"
                raise refused(named.place, reason, cure=cure, function=function)
            if named.name in seen:
                reason = f"{function!r} has two parameters {named.name!r}"
                raise refused(named.place, reason, function=function)
            if iskeyword(named.name):
                reason = f"parameter {named.name!r} of {function!r} is a key word of Python"
                raise refused(named.place, reason, cure="Rename it", function=function)
            seen.add(named.name)
            values.append(self._parameter(function, named))
        return values

    def _parameter(self, function: str, named: Named) -> dict[str, Any]:
        made = named.type
        values: dict[str, Any] = {"name": named.name, "kind": made.what, "size": 8, "signed": False}
        target = made.target if made.what == "pointer" and not made.odd else None
        if named.out:
            if target is not None and not target.const and not target.odd:
                found = self._pointed(target, named)
                if found is not None and found["kind"] not in _ONLY_TAKEN:
                    return {**values, **found}
                if target.what in ("integer", *_REALS):
                    return {**values, **self._number(target, named, function)}
                cls = self.class_of(target)
                if cls is not None and not target.odd:
                    return {**values, "kind": "instance", "cls": cls}
            reason = f"LOADER_OUT stands before {named.name!r} of {function!r}, which is {described(made)}"
            cure = self._class_cure(target) or cure_for_result(made)
            raise refused(named.place, reason, expected=_RESULTS, cure=cure, function=function)
        if made.what in ("integer", *_REALS) and not made.odd:
            return {**values, **self._number(made, named, function)}
        cls = self.class_of(made)
        if cls is not None:
            return {**values, "kind": "instance", "cls": cls}
        changed = target is not None and (target.what in ("numbers", "tensor") or self.structs.is_list(target))
        if target is not None and not target.odd and (target.const or changed):
            found = self._pointed(target, named)
            if found is not None:
                return {**values, **found, "writable": not target.const}
        reason = f"parameter {named.name!r} of {function!r} is {why_not(made)}"
        cure = self._class_cure(made) or cure_for(made)
        raise refused(named.place, reason, expected=_KINDS, cure=cure, function=function)

    def _class_cure(self, made: Type | None) -> str | None:
        """The cure for a pointer to a struct that is not defined here, as instances of a class are."""
        target = None if made is None or made.what != "pointer" else made.target
        if target is None or target.what != "struct" or target.tag in self.structs.declared.structs:
            return None
        name = self.structs.declared.names.get(target.tag, target.tag)
        return None if target.tag in self._classes else cure_for_class(name)

    def _number(self, made: Type, named: Named, function: str) -> dict[str, Any]:
        self.structs.check_same(made, f"parameter {named.name!r} of {function!r}", named.place)
        numbers = {"kind": made.what, "size": made.size, "signed": made.signed}
        return {**numbers, "values": self.structs.listed(made, named.place), "enum": made.enum}

    def _pointed(self, target: Type, named: Named) -> dict[str, Any] | None:
        """What a pointer to `target` is, if its direction is right."""
        if target.what in ("text", "bytes", "texts", "tensor", "arrow"):
            return {"kind": target.what}
        if target.what == "numbers":
            element = target.spelled.removeprefix("const ").removeprefix("loader_").removesuffix("s")
            return {"kind": "numbers", "size": target.size, "element": element}
        if target.what == "struct" and target.tag in self._interfaces:
            return {"kind": "interface", "interface": self._interfaces[target.tag]}
        if self.structs.is_list(target):
            return {"kind": "list", "struct": self.structs.element_of(target, named.place)}
        if target.what == "struct":
            return {"kind": "struct", "struct": self.structs.name_of(target, named.place)}
        return None

    def class_of(self, made: Type) -> str | None:
        """The class that `made` is a pointer to an instance of, or None."""
        target = made.target if made.what == "pointer" and not made.odd else None
        if target is None or target.what != "struct" or target.odd:
            return None
        return target.tag if target.tag in self._classes else None
