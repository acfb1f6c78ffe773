"""Tables of functions in a contract's header: services, which the host lends, and interfaces, which arguments bring.

A table is a struct: `size_t size`, then pointers to functions, each of which takes the call and its table first.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from loader.contract.header import MAX_FUNCTIONS
from loader.contract.header.complaint import described
from loader.contract.header.refusal import refused

if TYPE_CHECKING:
    from loader.contract.header.declarations import Unit
    from loader.contract.header.parameters import Parameters
    from loader.contract.header.syntax import Declared, Named, Type
    from loader.contract.header.tokens import Token

__all__ = ["Tables"]

_SIZE = "size_t"
#: What passes through contract functions only.
_NOT_HERE = ("tensor", "interface", "instance", "arrow")


class Tables:
    """`parameters`: which reads those of the functions."""

    def __init__(self, unit: Unit, declared: Declared, parameters: Parameters) -> None:
        self.unit = unit
        self.declared = declared
        self.parameters = parameters

    def services(self) -> list[dict[str, Any]]:
        """Those of LOADER_SERVICE."""
        values: list[dict[str, Any]] = []
        for service in self.unit.services:
            for other in values:
                for what, mine in (("id", service.id), ("table", service.table)):
                    if other[what] == mine:
                        raise refused(service.place, f"two services have the {what} {mine!r}")
            functions = self._functions(service.table, f" of {service.id!r}", service.place)
            values.append({"id": service.id, "table": service.table, "functions": functions})
        return values

    def interfaces(self) -> list[dict[str, Any]]:
        """Those of LOADER_INTERFACE."""
        values = []
        for name, place in self.unit.interfaces.items():
            functions = self._functions(name, "", place)
            if len(functions) > MAX_FUNCTIONS:
                reason = f"interface {name!r} has {len(functions)} functions"
                raise refused(place, reason, expected=f"at most {MAX_FUNCTIONS}")
            values.append({"name": name, "functions": functions})
        return values

    def _functions(self, table: str, whose: str, place: Token) -> list[dict[str, Any]]:
        made = self.declared.typedefs.get(table)
        members = self.declared.structs.get(made.tag) if made is not None and made.what == "struct" else None
        if made is None or members is None:
            reason = f"the table {table!r}{whose} is not a struct that is defined here"
            raise refused(place, reason, cure=f"typedef struct {table} {table}; and define the struct")
        if not members or members[0].name != "size" or members[0].type.spelled != _SIZE:
            reason = f"the table {table!r} does not begin with its size"
            raise refused(members[0].place if members else place, reason, expected="size_t size;")
        functions: dict[str, dict[str, Any]] = {}
        for member in members[1:]:
            values = self._function(table, made, member)
            if values["name"] in functions:
                raise refused(member.place, f"{table!r} has two members {values['name']!r}")
            functions[values["name"]] = values
        if not functions:
            raise refused(place, f"the table {table!r} has no function")
        return list(functions.values())

    def _function(self, table: str, made: Type, member: Named) -> dict[str, Any]:
        target = member.type.target
        if target is None or target.function is None or member.name is None:
            reason = f"member {member.name!r} of the table {table!r} is {described(member.type)}"
            raise refused(member.place, reason, expected="a pointer to a function")
        name = f"{table}.{member.name}"
        if iskeyword(member.name):
            reason = f"{name!r} has a key word of Python as its name, and is to be a method there"
            raise refused(member.place, reason, cure="Rename it", function=name)
        parameters = self.parameters.checked(name, member.place, target.function)
        own = parameters[1].type.target if len(parameters) > 1 else None
        if own is None or own.what != "struct" or own.tag != made.tag or not own.const:
            reason = f"the second parameter of {name!r} is not its table"
            raise refused(member.place, reason, expected=f"const {table} *", function=name)
        for each in parameters[2:]:
            target = each.type.target or each.type
            changed = target.what == "numbers" or self.parameters.structs.is_list(target)
            if changed and not target.const and not each.out:
                reason = f"parameter {each.name!r} of {name!r} is {described(each.type)}, which tables do not take"
                cure = "What the application is to see is const; what it gives is LOADER_OUT"
                raise refused(each.place, reason, cure=cure, function=name)
        values, results = self.parameters.parts(name, parameters[2:])
        for each, read in zip((n for n in parameters[2:] if not n.out), values, strict=True):
            self._passes(name, each, read)
        for each, read in zip((n for n in parameters[2:] if n.out), results, strict=True):
            self._passes(name, each, read)
        return {
            "name": member.name,
            "parameters": values,
            "optional": False,
            "gives": None if results else "text",
            "doc": member.doc,
            "results": results,
        }

    @staticmethod
    def _passes(function: str, named: Named, values: dict[str, Any]) -> None:
        if values["kind"] in _NOT_HERE:
            reason = f"{named.name!r} of {function!r} is {described(named.type)}, which tables do not pass"
            raise refused(named.place, reason, cure="Pass it to a function of the contract", function=function)
