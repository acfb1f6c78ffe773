"""C types of a contract's header → the values of a Contract, or a refusal with line, reason and cure.

What a contract may hold is decided here and nowhere else. The rules are those of include/loader/plugin.h:
every parameter is of pointer, integer or floating-point class, so that one caller in C serves all functions of all
contracts. Structs: structs.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader.contract.header.classes import check_classes, freed_class, role_of
from loader.contract.header.declarations import split
from loader.contract.header.misleading import includes_bool, misleading_name
from loader.contract.header.parameters import Parameters
from loader.contract.header.preprocess import preprocess
from loader.contract.header.refusal import refusal, refused
from loader.contract.header.structs import Structs
from loader.contract.header.syntax import read_types
from loader.contract.header.tables import Tables

if TYPE_CHECKING:
    from loader.contract.header.declarations import Declaration, Unit
    from loader.contract.header.files import Files
    from loader.contract.header.syntax import Declared, Named, Prototype
    from loader.contract.header.tokens import Token

__all__ = ["contract_values"]


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
        self.parameters = Parameters(unit, declared, self.structs)
        self.tables = Tables(unit, declared, self.parameters)

    def values(self, files: Files) -> dict[str, Any]:
        functions: dict[str, dict[str, Any]] = {}
        places: dict[str, Token] = {}
        with_function: set[int] = set()
        for named, declaration in self.declared.objects:
            values = self._function(named, declaration)
            name = values["name"]
            if name in functions:
                raise refused(named.place, f"{name!r} is declared twice, first in line {places[name].line}")
            functions[name] = values
            places[name] = named.place
            with_function.add(id(declaration))
        for declaration in self.unit.declarations:
            if declaration.flags and id(declaration) not in with_function:
                flag = min(declaration.flags)
                raise refused(declaration.tokens[0], f"{flag} before what is not a function")
        if not functions:
            raise refusal(files.header, None, "no function", expected="at least one: int NAME(loader_call *call, …);")
        services, interfaces = self.tables.services(), self.tables.interfaces()
        check_classes(self.unit.classes, functions)
        name, major, minor = self.unit.contract
        return {
            "name": name,
            "major": major,
            "minor": minor,
            "digest": files.digest,
            "structs": list(self.structs.values.values()),
            "functions": list(functions.values()),
            "services": services,
            "interfaces": interfaces,
            "classes": [
                {"name": name, "shared": each.shared, "doc": each.place.doc}
                for name, each in self.unit.classes.items()
            ],
            "stamps": [[*each.version, each.fingerprint] for each in self.unit.stamps],
            "needs": self.unit.needs,
        }

    # ---- Functions -----------------------------------------------------------------------------------------

    def _function(self, named: Named, declaration: Declaration) -> dict[str, Any]:
        made = named.type.function
        if made is None or named.name is None:
            cure = "Declare functions only; constants are #define or enum"
            raise refused(named.place, f"{named.name!r} is a variable", cure=cure)
        misleading = misleading_name(named.name)
        if misleading is not None:
            raise refused(named.place, f"{named.name!r} {misleading}", cure="Rename the function")
        flags = declaration.flags
        freed = freed_class(self.unit.classes, named)
        if freed is not None:
            return self._free(freed, named, made, flags, declaration.doc)
        parameters = self.parameters.checked(named.name, named.place, made)
        values, results = self.parameters.parts(named.name, parameters[1:])
        gives = None if results else "text"
        if {"LOADER_GIVES_BYTES", "LOADER_GIVES_TEXT"} <= flags:
            raise refused(named.place, f"{named.name!r} gives text and bytes", cure="Write one of the two")
        if "LOADER_GIVES_BYTES" in flags or "LOADER_GIVES_TEXT" in flags:
            gives = "bytes" if "LOADER_GIVES_BYTES" in flags else "text"
        for parameter in parameters[1:]:
            if parameter.out and parameter.name == gives:
                reason = f"a result of {named.name!r} is named {gives!r}, as what it writes is"
                raise refused(parameter.place, reason, cure="Rename it", function=named.name)
        function = {
            "name": named.name,
            "parameters": values,
            "optional": "LOADER_OPTIONAL" in flags,
            "gives": gives,
            "doc": declaration.doc,
            "results": results,
            "repeatable": "LOADER_REPEATABLE" in flags,
        }
        if function["repeatable"] and any(each["kind"] == "instance" for each in values):
            reason = f"LOADER_REPEATABLE before {named.name!r}, which gets an instance"
            raise refused(named.place, reason, cure="Leave it out: an instance dies with its process")
        return {**function, **role_of(self.unit.classes, named.place, function)}

    def _free(self, cls: str, named: Named, made: Prototype, flags: frozenset[str], doc: str) -> dict[str, Any]:
        """Of void T_free(T *), which takes no call and gives nothing."""
        parameters = made.parameters or ()
        one = len(parameters) == 1 and self.parameters.class_of(parameters[0].type) == cls
        target = parameters[0].type.target if one else None
        if made.returns.spelled != "void" or made.variadic or target is None or target.const or parameters[0].out:
            reason = f"{named.name!r} is to free instances, and is declared otherwise"
            raise refused(named.place, reason, expected=f"void {named.name}({cls} *instance);", function=named.name)
        odd = flags - {"LOADER_EXPORT", "LOADER_OPTIONAL"}
        if odd:
            raise refused(named.place, f"{min(odd)} before {named.name!r}, which gives nothing", function=named.name)
        instance = {"name": parameters[0].name or "instance", "kind": "instance", "cls": cls}
        role = {"cls": cls, "role": "free"}
        optional = "LOADER_OPTIONAL" in flags
        return {"name": named.name, "parameters": [instance], "optional": optional, "gives": None, "doc": doc, **role}
