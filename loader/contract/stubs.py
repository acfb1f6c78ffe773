"""Contract → the text of a stub (.pyi): what a type checker must know to check calls of its plugins.

The stub is that of a small module of the application's, which reads the header; see docs/hosts.md. Struct rows are
named tuples there, what may be passed as a struct is a protocol, the plugin too: a class of ours that answers to any
name would hide every misspelt one.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING

from loader.contract.stub_types import Names, Types

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loader.contract.contract import Contract
    from loader.contract.kinds import Class, Function, Parameter, Struct

__all__ = ["is_generated", "stub_of"]

WIDTH = 100
_MARK = '"""Types of the contract '


def stub_of(contract: Contract, header: str) -> str:
    """The stub's text. `header`: the file's name, for its first line."""
    return _Stub(contract).text(header)


def is_generated(content: bytes) -> bool:
    """Whether a file is ours to overwrite."""
    first = content.split(b"\n", 1)[0]
    return first.startswith(_MARK.encode()) and b", written by `loader stubs " in first


class _Stub:
    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        enums, structs = list(contract.enums), [each.name for each in contract.structs]
        interfaces = [each.name for each in contract.interfaces]
        tables = [each.table for each in contract.services]
        types = {*enums, *structs, *interfaces, *tables, *(each.name for each in contract.classes)}
        self.names = Names(types, self._members())
        self.types = Types(self.names)
        self.use = self.names.use
        self.rows: list[list[str]] = []  # of functions with several results

    def _members(self) -> set[str]:
        contract = self.contract
        functions = [*contract.functions]
        for interface in contract.interfaces:
            functions += interface.functions
        for service in contract.services:
            functions += service.functions
        members = {each.method if each.cls else each.name for each in functions}
        members |= {field.name for struct in contract.structs for field in struct.fields}
        members |= {result.name for each in functions for result in each.results}
        return members | {each.name for each in contract.classes} | set(_ATTRIBUTES)

    def text(self, header: str) -> str:
        contract = self.contract
        parts = [
            *(self._enum(name, values) for name, values in contract.enums.items()),
            *(self._row(struct.name, self._fields(struct)) for struct in contract.structs),
            *(self._table(each.name, each.functions) for each in contract.interfaces),
            *(self._table(each.table, each.functions) for each in contract.services),
            *(self._class(each) for each in contract.classes),
            self._plugin(),
            *self._module(),
        ]  # the plugin's functions and the module's two last: rows of results come before them
        values = self._values()
        own = [self.names.protocol(name) for name in sorted(self.names.own)]
        tail = self.names.tail()
        first = f'{_MARK}{contract}, written by `loader stubs {header}`: do not edit."""'
        imports = [*self.names.head(), "", "import loader"]
        blocks = [[first], imports, *own, *values, *parts[:-3], *self.rows, *parts[-3:], tail]
        return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"

    # ---- What a contract declares, each as lines -------------------------------------------------------------

    def _enum(self, name: str, values: Sequence[tuple[str, int]]) -> list[str]:
        members = [f"    {each} = {value}" for each, value in values if not iskeyword(each)]
        return [f"class {name}({self.use('IntEnum')}):", *(members or ["    ..."])]

    def _fields(self, struct: Struct) -> list[tuple[str, str]]:
        return [(each.name, self.types.given(each)) for each in struct.fields]

    def _row(self, name: str, values: Sequence[tuple[str, str]]) -> list[str]:
        if any(each.startswith("_") for each, _ in values):
            return [f"{name}: {self.use('TypeAlias')} = {self.types.row(values)}"]
        lines = [f"class {name}({self.use('NamedTuple')}):"]
        # A tuple has methods of these names, which the value hides.
        hidden = {"count", "index"}
        lines += [f"    {each}: {made}{_IGNORED if each in hidden else ''}" for each, made in values]
        return lines if len(lines) > 1 else [*lines, "    ..."]

    def _values(self) -> list[list[str]]:
        """What may be passed as a struct: of each that is passed, and of those in it."""
        blocks: list[list[str]] = []
        done = 0
        while done < len(self.types.structs):
            struct = list(self.types.structs.values())[done]
            done += 1
            fields = [(each.name, self.types.taken(each)) for each in struct.fields]
            protocol = self.names.free(f"_{struct.name}_fields", "fields")
            lines = [f"class {protocol}({self.use('Protocol')}):"]
            for name, made in fields:
                lines += [f"    @{self.use('property')}", f"    def {name}(self) -> {made}: ..."]
            blocks.append(lines if fields else [*lines, "    ..."])
            mapping = f"{self.use('Mapping')}[{self.use('str')}, {self.use('Any')}]"
            ways = [protocol, self.types.row(fields), mapping, f"{self.use('list')}[{self.use('Any')}]"]
            blocks.append(_either(f"{self.types.struct(struct)}: {self.use('TypeAlias')}", ways))
        return blocks

    def _table(self, name: str, functions: Iterable[Function]) -> list[str]:
        """An object of the application's. It is called with arguments in order: their names are its own business."""
        lines = [f"class {name}({self.use('Protocol')}):"]
        for function in functions:
            given = [f"{each.name}: {self.types.seen(each)}" for each in function.parameters]
            given += ["/"] if given else []
            lines += _method(function.name, given, self.types.answered(function), function.doc)
        return lines

    def _class(self, declared: Class) -> list[str]:
        lines = [f"class {declared.name}:", *_documented(declared.doc, "    ")]
        functions = [each for each in self.contract.functions if each.cls == declared.name]
        if not any(each.role == "new" for each in functions):  # functions of the plugin give them
            lines += _method("__init__", [f"never: {self.use('Never')}", "/"], "None", "")
        for each in functions:
            taken = self._taken(each.parameters if each.role == "new" else each.parameters[1:])
            if each.role == "new":
                lines += _method("__init__", taken, "None", each.doc)
            elif each.role == "next":
                lines += _method("__iter__", (), self.use("Self"), "")
                lines += _method("__next__", (), self._given(each), each.doc)
            elif each.role == "method":
                lines += _method(each.method, taken, self._given(each), each.doc)
        kind = f"{self.use('type')}[{self.use('BaseException')}] | None"
        leaving = [f"kind: {kind}", f"error: {self.use('BaseException')} | None"]
        leaving += [f"trace: {self.use('TracebackType')} | None", "/"]
        lines += [f"    @{self.use('property')}", f"    def closed(self) -> {self.use('bool')}: ..."]
        lines += _method("close", (), "None", "")
        lines += _method("__enter__", (), self.use("Self"), "")
        return lines + _method("__exit__", leaving, "None", "")

    def _plugin(self) -> list[str]:
        lines = [f"class {self._plugin_name()}({self.use('Protocol')}):", f'    """A plugin of {self.contract}."""']
        for name, (made, arguments) in _ATTRIBUTES.items():
            inside = f"[{', '.join(map(self.use, arguments))}]" if arguments else ""
            found = made if "." in made else self.use(made)
            lines += [f"    @{self.use('property')}", f"    def {name}(self) -> {found}{inside}: ..."]
        test = f"{self.use('str')} | {self.use('Callable')}[[{self.use('Any')}], {self.use('object')}]"
        again = [f"path: {self.use('StrPath')} | None = None", "*", f"self_test: {test} | None = None"]
        again.append(f"move: {self.use('Sequence')}[{self.use('Any')}] = ()")
        lines += _method("reload", again, self._plugin_name(), "")
        for each in self.contract.classes:
            lines += [f"    @{self.use('property')}"]
            lines += [f"    def {each.name}(self) -> {self.use('type')}[{self.names.type(each.name)}]: ..."]
        for function in self.contract.functions:
            if not function.cls:
                lines += self._function(function)
        return lines

    def _plugin_name(self) -> str:
        name = "".join(part[:1].upper() + part[1:] for part in self.contract.name.split("_"))
        while name in self.names.types or not name.isidentifier():
            name += "Plugin"
        return name

    def _function(self, function: Function) -> list[str]:
        """A method of the plugin; where it takes a struct, also with the struct's fields by name."""
        taken, given = self._taken(function.parameters), self._given(function)
        doc = function.doc + ("\n\nOptional: a plugin may lack it." if function.optional else "")
        by_name = self._by_name(function.parameters)
        if by_name is None:
            return _method(function.name, taken, given, doc)
        overload = f"    @{self.use('overload')}"
        first = _method(function.name, taken, given, doc)
        return [overload, *first, overload, *_method(function.name, by_name, given, "")]

    def _by_name(self, parameters: Sequence[Parameter]) -> list[str] | None:
        open_ones = [at for at, each in enumerate(parameters) if each.kind.value == "struct"]
        if len(open_ones) != 1:
            return None
        at = open_ones[0]
        struct = parameters[at].struct
        others = [*parameters[:at], *parameters[at + 1 :]]
        names = set() if struct is None else {each.name for each in struct.fields}
        if struct is None or not names or names & {each.name for each in others}:
            return None
        taken = self._taken(others)
        fields = [f"{each.name}: {self.types.taken(each)} = ..." for each in struct.fields]
        return [*taken[:at], "*", *taken[at:], *fields]

    def _taken(self, parameters: Iterable[Parameter]) -> list[str]:
        return [f"{each.name}: {self.types.taken(each)}" for each in parameters]

    def _given(self, function: Function) -> str:
        """What a call gives: one value, or a row of several."""
        values = [(each.name, self.types.given(each)) for each in function.results]
        if function.gives is not None:
            values.insert(0, (function.gives.value, self.types.written(function.gives)))
        if len(values) == 1:
            return values[0][1]
        if not values:
            return "None"
        name = self.names.free(f"_{function.name}_result", "result")
        self.rows.append(self._row(name, values))
        return name

    def _module(self) -> list[list[str]]:
        """What the application's module has beside the types."""
        blocks = [["contract: loader.Contract"]] if "contract" not in self.names.types else []
        if "load" not in self.names.types:
            string = f"{self.use('str')} | None = None"
            options = ["*", "policy: loader.Policy | None = None", f"name: {string}"]
            options.append(f"max_output: {self.use('int')} | None = None")
            load = _method("load", [f"path: {self.use('StrPath')}", *options], self._plugin_name(), "", indent="")
            blocks.append(load)
        return blocks


_IGNORED = "  # type: ignore[assignment]"
#: What every plugin has: the type's name, and what stands in its brackets.
_ATTRIBUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "name": ("str", ()),
    "path": ("str", ()),
    "contract": ("loader.Contract", ()),
    "version": ("tuple", ("int", "int")),
    "digest": ("str", ()),
    "functions": ("Mapping", ("str", "Any")),
    "classes": ("Mapping", ("str", "Any")),
    "worker": ("Any", ()),
}


def _either(alias: str, ways: Sequence[str]) -> list[str]:
    line = f"{alias} = {' | '.join(ways)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{alias} = (", f"    {ways[0]}", *(f"    | {each}" for each in ways[1:]), ")"]


def _method(name: str, taken: Sequence[str], given: str, doc: str, *, indent: str = "    ") -> list[str]:
    first = [] if not indent else ["_self" if any(each.startswith("self:") for each in taken) else "self"]
    everything = [*first, *taken]
    body = _documented(doc, indent + "    ")
    end = f") -> {given}:" + ("" if body else " ...")
    line = f"{indent}def {name}({', '.join(everything)}{end}"
    lines = [line]
    if len(line) > WIDTH:
        lines = [f"{indent}def {name}(", *(f"{indent}    {each}," for each in everything), indent + end]
        if everything[-1] == "/":
            lines[-2] = f"{indent}    /,"
    return lines + body


def _documented(doc: str, indent: str) -> list[str]:
    """A comment of the header as a docstring."""
    words = doc.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if not words:
        return []
    if words.endswith('"'):
        words += " "
    lines = words.splitlines()
    if len(lines) == 1:
        return [f'{indent}"""{words}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{each.rstrip()}".rstrip() for each in lines[1:]), f'{indent}"""']
