"""C types of a contract's header → the values of a Contract, or a refusal with line, reason and cure.

What a contract may hold is decided here and nowhere else. The rules are those of include/loader/plugin.h:
every parameter is of pointer or integer class, so that one caller in C serves all functions of all contracts.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from loader.contract.header import MAX_PARAMETERS, MAX_SERVICE_PARAMETERS, MAX_STRUCT
from loader.contract.header.complaint import cure_for, described, why_not
from loader.contract.header.declarations import Declaration, ServiceDeclaration, Unit, split
from loader.contract.header.preprocess import preprocess
from loader.contract.header.refusal import refusal
from loader.contract.header.syntax import Declared, Named, Prototype, Type, read_types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.contract.header.files import Files
    from loader.contract.header.tokens import Token
    from loader.errors import ContractError

__all__ = ["contract_values"]

_KINDS = "const loader_text *, const loader_bytes *, a const pointer to a struct of these, or an integer"
_FIELDS = "loader_text, loader_bytes, integers of 1 to 8 bytes, double"
_SIZE = "size_t"
MAX_VALUES = 50_000


def contract_values(files: Files) -> dict[str, Any]:
    """What the header says, in the form that ``Contract.from_dict`` takes.

    Raises:
        ContractError: the header holds something that is not supported.
    """
    try:
        unit = split(files.header, preprocess(files))
        return _Rules(unit, read_types(unit)).values(files)
    except RecursionError as error:
        raise refusal(files.header, None, "parentheses, pointers or macros that nest too deeply") from error


class _Rules:
    def __init__(self, unit: Unit, declared: Declared) -> None:
        self.unit = unit
        self.declared = declared
        self.structs: dict[str, dict[str, Any]] = {}  # name → values, in order of first use
        self._tags: dict[str, str] = {}  # name → tag
        self._listed_values = 0

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
            "structs": list(self.structs.values()),
            "functions": list(functions.values()),
            "services": services,
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
        parameters = self._checked(named.name, named.place, made)
        return {
            "name": named.name,
            "parameters": self._parameters(named.name, parameters[1:], MAX_PARAMETERS),
            "optional": "LOADER_OPTIONAL" in declaration.flags,
            "gives": "bytes" if "LOADER_GIVES_BYTES" in declaration.flags else "text",
            "result": None,
            "doc": declaration.doc,
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

    def _parameters(self, function: str, parameters: Sequence[Named], most: int) -> list[dict[str, Any]]:
        if len(parameters) > most:
            reason = f"{function!r} has {len(parameters)} parameters besides those that every such function has"
            expected = f"at most {most}"
            place = parameters[most].place
            raise self._refuse(place, reason, expected=expected, cure="Gather some in a struct", function=function)
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
        values: dict[str, Any] = {"name": named.name, "kind": "integer", "size": 8, "signed": False}
        values |= {"struct": None, "values": []}
        if made.what == "integer" and not made.odd:
            return {**values, "size": made.size, "signed": made.signed, "values": self._listed(named)}
        target = made.target
        if target is not None and target.const and not target.odd and not made.odd:
            if target.what in ("text", "bytes"):
                return {**values, "kind": target.what}
            if target.what == "struct":
                return {**values, "kind": "struct", "struct": self._struct(target, named.place)}
        reason = f"parameter {named.name!r} of {function!r} is {why_not(made)}"
        raise self._refuse(named.place, reason, expected=_KINDS, cure=cure_for(made), function=function)

    # ---- Structs -------------------------------------------------------------------------------------------

    def _struct(self, made: Type, place: Token) -> str:
        """Lays the struct out as C does, at natural alignment, and returns its name."""
        name = self.declared.names.get(made.tag, made.tag)
        if self._tags.setdefault(name, made.tag) != made.tag:
            raise self._refuse(place, f"there are two structs {name!r}", cure="Give each a typedef of its own")
        if name in self.structs:
            return name
        members = self.declared.structs.get(made.tag)
        if members is None or (made.tag.startswith("@") and name == made.tag):
            lack = "is declared but not defined" if members is None else "without a name"
            raise self._refuse(place, f"{made.spelled} {lack}", cure="Define it in the header, with a typedef")
        if not members:
            raise self._refuse(place, f"{name!r} has no members", expected="at least one")
        sized = members[0].name == "size" and members[0].type.spelled == _SIZE
        fields: dict[str, dict[str, Any]] = {}
        end, widest = (8, 8) if sized else (0, 1)
        for member in members[1:] if sized else members:
            field = self._field(name, member)
            if field["name"] in fields or (sized and field["name"] == "size"):
                raise self._refuse(member.place, f"{name!r} has two members {field['name']!r}")
            alignment = min(field["size"], 8)
            widest = max(widest, alignment)
            field["offset"] = -(-end // alignment) * alignment
            end = field["offset"] + field["size"]
            if end > MAX_STRUCT:
                reason, cure = f"{name!r} is too large", "Take long texts as a loader_text, or divide it"
                raise self._refuse(member.place, reason, expected=f"at most {MAX_STRUCT:,} bytes", cure=cure)
            fields[field["name"]] = field
        size = -(-end // widest) * widest
        self.structs[name] = {"name": name, "size": size, "sized": sized, "fields": list(fields.values())}
        return name

    def _field(self, struct: str, member: Named) -> dict[str, Any]:
        made = member.type
        complaint = None
        if member.bits:
            complaint = "a bit-field"
        elif member.aligned:
            complaint = "aligned by _Alignas"
        elif made.odd or made.what not in ("integer", "double", "text", "bytes"):
            complaint = f"a nested {made.spelled}" if made.what == "struct" else why_not(made)
            complaint = complaint.removesuffix(" by value")
        if complaint is not None or member.name is None:
            which = f"member {member.name!r}" if member.name else "a member without a name"
            reason = f"{which} of {struct!r} is {complaint or 'not usable'}"
            raise self._refuse(member.place, reason, expected=_FIELDS)
        return {
            "name": member.name,
            "kind": made.what,
            "offset": 0,
            "size": made.size,
            "signed": made.signed,
            "values": self._listed(member),
        }

    def _listed(self, named: Named) -> list[list[str | int]]:
        """The values of an enum, told anew for each that has its type."""
        self._listed_values += len(named.type.values)
        if self._listed_values > MAX_VALUES:
            reason = f"enums of more than {MAX_VALUES} values in all, counted for each parameter and member"
            raise self._refuse(named.place, reason, cure="Take an integer where an enum has that many values")
        return [[name, value] for name, value in named.type.values]

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
        rest = parameters[2:]
        result = _result(rest[-1]) if rest else None
        own_parameters = rest if result is None else rest[:-1]
        return {
            "name": member.name,
            "parameters": self._parameters(name, own_parameters, MAX_SERVICE_PARAMETERS),
            "optional": False,
            "gives": None if result is None else result["kind"],
            "result": result,
            "doc": member.doc,
        }


def _result(named: Named) -> dict[str, Any] | None:
    """The values of a service's result parameter, or None if this is not one."""
    target = named.type.target
    if target is None or target.const or target.odd or named.type.odd:
        return None
    if target.what not in ("text", "bytes", "double") and target.spelled != "int64_t":
        return None
    signed = target.what == "integer"
    name = named.name or "result"
    return {"name": name, "kind": target.what, "size": 8, "signed": signed, "struct": None, "values": []}
