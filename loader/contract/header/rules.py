"""C types of a contract's header → the values of a Contract, or a refusal with line, reason and cure.

What a contract may hold is decided here and nowhere else. The rules are those of include/loader/plugin.h:
every parameter is of pointer, integer or floating-point class, so that one caller in C serves all functions of all
contracts. Structs: structs.py.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from loader.contract.header import MAX_PARAMETERS
from loader.contract.header.complaint import cure_for, described, why_not
from loader.contract.header.declarations import Declaration, ServiceDeclaration, Unit, split
from loader.contract.header.misleading import includes_bool, misleading_counts, misleading_name
from loader.contract.header.preprocess import preprocess
from loader.contract.header.refusal import refusal
from loader.contract.header.structs import Structs
from loader.contract.header.syntax import Declared, Named, Prototype, Type, read_types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.contract.header.files import Files
    from loader.contract.header.tokens import Token
    from loader.errors import ContractError

__all__ = ["contract_values"]

_KINDS = (
    "const loader_text *, const loader_bytes *, const loader_texts *, loader_f64s * and its like, a const pointer "
    "to a struct, an integer, float or double"
)
_RESULTS = (
    "LOADER_OUT and a pointer to an integer, float, double, enum, struct, loader_text, loader_bytes, loader_f64s "
    "or its like"
)
_SIZE = "size_t"
_REALS = ("float", "double")


def contract_values(files: Files, *, to_stamp: bool = False) -> dict[str, Any]:
    """What the header says, in the form that ``Contract.from_dict`` takes.

    to_stamp: what a stamped header must not have is refused already: see Structs.check_same.

    Raises:
        ContractError: the header holds something that is not supported.
    """
    try:
        unit = split(files.header, preprocess(files))
        rules = _Rules(unit, read_types(unit), stamped=to_stamp or unit.stamp() is not None)
        rules.structs.has_bool = includes_bool(files.texts.values())
        return rules.values(files)
    except RecursionError as error:
        raise refusal(files.header, None, "parentheses, pointers or macros that nest too deeply") from error


class _Rules:
    def __init__(self, unit: Unit, declared: Declared, *, stamped: bool) -> None:
        self.unit = unit
        self.declared = declared
        self.structs = Structs(declared, unit.lists, stamped=stamped)

    def values(self, files: Files) -> dict[str, Any]:
        functions: dict[str, dict[str, Any]] = {}
        places: dict[str, Token] = {}
        with_function: set[int] = set()
        for named, declaration in self.declared.objects:
            values = self._function(named, declaration)
            name = values["name"]
            if name in functions:
                raise self._refuse(named.place, f"{name!r} is declared twice, first in line {places[name].line}")
            functions[name] = values
            places[name] = named.place
            with_function.add(id(declaration))
        for declaration in self.unit.declarations:
            if declaration.flags and id(declaration) not in with_function:
                flag = min(declaration.flags)
                raise self._refuse(declaration.tokens[0], f"{flag} before what is not a function")
        if not functions:
            raise refusal(files.header, None, "no function", expected="at least one: int NAME(loader_call *call, …);")
        services = self._services()
        name, major, minor = self.unit.contract
        return {
            "name": name,
            "major": major,
            "minor": minor,
            "digest": files.digest,
            "structs": list(self.structs.values.values()),
            "functions": list(functions.values()),
            "services": services,
            "stamps": [[*each.version, each.fingerprint] for each in self.unit.stamps],
        }

    @staticmethod
    def _refuse(place: Token, reason: str, **fields: str | None) -> ContractError:
        return refusal(place.path, place.line, reason, **fields)

    # ---- Functions -----------------------------------------------------------------------------------------

    def _function(self, named: Named, declaration: Declaration) -> dict[str, Any]:
        made = named.type.function
        if made is None or named.name is None:
            cure = "Declare functions only; constants are #define or enum"
            raise self._refuse(named.place, f"{named.name!r} is a variable", cure=cure)
        misleading = misleading_name(named.name)
        if misleading is not None:
            raise self._refuse(named.place, f"{named.name!r} {misleading}", cure="Rename the function")
        parameters = self._checked(named.name, named.place, made)
        values, results = self._parts(named.name, parameters[1:])
        flags = declaration.flags
        gives = None if results else "text"
        if {"LOADER_GIVES_BYTES", "LOADER_GIVES_TEXT"} <= flags:
            raise self._refuse(named.place, f"{named.name!r} gives text and bytes", cure="Write one of the two")
        if "LOADER_GIVES_BYTES" in flags or "LOADER_GIVES_TEXT" in flags:
            gives = "bytes" if "LOADER_GIVES_BYTES" in flags else "text"
        for parameter in parameters[1:]:
            if parameter.out and parameter.name == gives:
                reason = f"a result of {named.name!r} is named {gives!r}, as what it writes is"
                raise self._refuse(parameter.place, reason, cure="Rename it", function=named.name)
        return {
            "name": named.name,
            "parameters": values,
            "optional": "LOADER_OPTIONAL" in flags,
            "gives": gives,
            "doc": declaration.doc,
            "results": results,
        }

    def _checked(self, name: str, place: Token, made: Prototype) -> tuple[Named, ...]:
        """All parameters of a function of the one shape: int NAME(loader_call *call, …)."""
        if made.returns.what != "integer" or made.returns.spelled != "int":
            reason = f"{name!r} returns {described(made.returns)}"
            raise self._refuse(
                place, reason, expected="int", cure="Write the result with loader_write", function=name
            )
        if made.variadic:
            raise self._refuse(place, f"{name!r} is variadic", cure="Name every parameter", function=name)
        parameters = made.parameters or ()
        first = parameters[0].type if parameters else None
        if first is None or first.target is None or first.target.what != "call" or first.target.const:
            found = f"the first parameter of {name!r} is " + ("missing" if first is None else described(first))
            raise self._refuse(place, found, expected="loader_call *", function=name)
        return parameters

    def _parts(self, function: str, parameters: Sequence[Named]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
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
            raise self._refuse(place, reason, expected=expected, cure="Gather some in a struct", function=function)
        for named, reason, meant in misleading_counts(parameters):
            cure = f"Take {meant}; or a number of its own as uint64_t"
            raise self._refuse(named.place, f"in {function!r} {reason}", cure=cure, function=function)
        seen: set[str] = set()
        values = []
        for number, named in enumerate(parameters, 1):
            if named.name is None:
                reason = f"parameter {number} of {function!r} has no name"
                cure = "Name it; callers in Python may pass it by name"
                raise self._refuse(named.place, reason, cure=cure, function=function)
            if named.name in seen:
                reason = f"{function!r} has two parameters {named.name!r}"
                raise self._refuse(named.place, reason, function=function)
            if iskeyword(named.name):
                reason = f"parameter {named.name!r} of {function!r} is a key word of Python"
                raise self._refuse(named.place, reason, cure="Rename it", function=function)
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
                if found is not None and found["kind"] not in ("texts", "tensor"):
                    return {**values, **found}
                if target.what in ("integer", *_REALS):
                    return {**values, **self._number(target, named, function)}
            reason = f"LOADER_OUT stands before {named.name!r} of {function!r}, which is {described(made)}"
            raise self._refuse(named.place, reason, expected=_RESULTS, function=function)
        if made.what in ("integer", *_REALS) and not made.odd:
            return {**values, **self._number(made, named, function)}
        changed = target is not None and (target.what in ("numbers", "tensor") or self.structs.is_list(target))
        if target is not None and not target.odd and (target.const or changed):
            found = self._pointed(target, named)
            if found is not None:
                return {**values, **found, "writable": not target.const}
        reason = f"parameter {named.name!r} of {function!r} is {why_not(made)}"
        raise self._refuse(named.place, reason, expected=_KINDS, cure=cure_for(made), function=function)

    def _number(self, made: Type, named: Named, function: str) -> dict[str, Any]:
        self.structs.check_same(made, f"parameter {named.name!r} of {function!r}", named.place)
        numbers = {"kind": made.what, "size": made.size, "signed": made.signed}
        return {**numbers, "values": self.structs.listed(made, named.place), "enum": made.enum}

    def _pointed(self, target: Type, named: Named) -> dict[str, Any] | None:
        """What a pointer to `target` is, if its direction is right."""
        if target.what in ("text", "bytes", "texts", "tensor"):
            return {"kind": target.what}
        if target.what == "numbers":
            element = target.spelled.removeprefix("const ").removeprefix("loader_").removesuffix("s")
            return {"kind": "numbers", "size": target.size, "element": element}
        if self.structs.is_list(target):
            return {"kind": "list", "struct": self.structs.element_of(target, named.place)}
        if target.what == "struct":
            return {"kind": "struct", "struct": self.structs.name_of(target, named.place)}
        return None

    # ---- Services ------------------------------------------------------------------------------------------

    def _services(self) -> list[dict[str, Any]]:
        values: list[dict[str, Any]] = []
        for service in self.unit.services:
            for other in values:
                for what, mine in (("id", service.id), ("table", service.table)):
                    if other[what] == mine:
                        raise self._refuse(service.place, f"two services have the {what} {mine!r}")
            values.append(self._service(service))
        return values

    def _service(self, service: ServiceDeclaration) -> dict[str, Any]:
        made = self.declared.typedefs.get(service.table)
        members = self.declared.structs.get(made.tag) if made is not None and made.what == "struct" else None
        if made is None or members is None:
            reason = f"the table {service.table!r} of {service.id!r} is not a struct that is defined here"
            cure = f"typedef struct {service.table} {service.table}; and define the struct"
            raise self._refuse(service.place, reason, cure=cure)
        if not members or members[0].name != "size" or members[0].type.spelled != _SIZE:
            place = members[0].place if members else service.place
            reason = f"the table {service.table!r} does not begin with its size"
            raise self._refuse(place, reason, expected="size_t size;")
        functions: dict[str, dict[str, Any]] = {}
        for member in members[1:]:
            values = self._service_function(service, made, member)
            if values["name"] in functions:
                raise self._refuse(member.place, f"{service.table!r} has two members {values['name']!r}")
            functions[values["name"]] = values
        if not functions:
            raise self._refuse(service.place, f"the table {service.table!r} has no function")
        return {"id": service.id, "table": service.table, "functions": list(functions.values())}

    def _service_function(self, service: ServiceDeclaration, table: Type, member: Named) -> dict[str, Any]:
        target = member.type.target
        if target is None or target.function is None or member.name is None:
            reason = f"member {member.name!r} of the table {service.table!r} is {described(member.type)}"
            raise self._refuse(member.place, reason, expected="a pointer to a function")
        name = f"{service.table}.{member.name}"
        parameters = self._checked(name, member.place, target.function)
        own = parameters[1].type.target if len(parameters) > 1 else None
        if own is None or own.what != "struct" or own.tag != table.tag or not own.const:
            reason = f"the second parameter of {name!r} is not its table"
            raise self._refuse(member.place, reason, expected=f"const {service.table} *", function=name)
        for each in parameters[2:]:
            target = each.type.target or each.type
            changed = target.what in ("numbers", "tensor") or self.structs.is_list(target)
            if target.what == "tensor" or (changed and not target.const and not each.out):
                reason = f"parameter {each.name!r} of {name!r} is {described(each.type)}, which services do not take"
                cure = "What the application is to see is const; what it gives is LOADER_OUT"
                raise self._refuse(each.place, reason, cure=cure, function=name)
        values, results = self._parts(name, parameters[2:])
        return {
            "name": member.name,
            "parameters": values,
            "optional": False,
            "gives": None if results else "text",
            "doc": member.doc,
            "results": results,
        }
