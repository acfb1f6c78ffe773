"""Generated contract headers: layouts against a C compiler, a round trip, damage."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from headers import HEAD, HTMLIZE, compile_header
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.contract import Class, Contract, Field, Function, Interface, Kind, Parameter, Service, Struct
from loader.contract.header import target
from loader.errors import ContractError

# ---- Layouts, against a compiler --------------------------------------------------------------------------

INTEGERS = {
    "int8_t": (1, True),
    "uint8_t": (1, False),
    "short": (2, True),
    "uint16_t": (2, False),
    "int": (4, True),
    "unsigned": (4, False),
    "int64_t": (8, True),
    "size_t": (8, False),
    "bool": (1, False),
    "char": (1, target.CHAR_IS_SIGNED),
    "long": (target.LONG_SIZE, True),
}
MEMBERS = {
    "loader_text": (Kind.TEXT, 16, False),
    "loader_bytes": (Kind.BYTES, 16, False),
    "float": (Kind.FLOAT, 4, False),
    "double": (Kind.DOUBLE, 8, False),
    **{name: (Kind.INTEGER, size, signed) for name, (size, signed) in INTEGERS.items()},
}


#: What stands in a struct: -1 is the struct before it, if there is one.
_WRITTEN = st.sampled_from([*sorted(MEMBERS), "-1"])


def _known(kind: str, number: int) -> str:
    return kind if kind != "-1" else f"s{number - 1}" if number % 3 else "double"


def _count(kind: str, count: int) -> int:
    """Elements of an array, or 0. Not of char, which is refused; structs in structs grow too large."""
    return min(count, 1) if kind == "-1" else 0 if kind == "char" else count


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    structs=st.lists(
        st.tuples(st.booleans(), st.lists(st.tuples(_WRITTEN, st.integers(0, 3)), min_size=1, max_size=7)),
        min_size=20,
        max_size=40,
    )
)
def test_layouts(tmp_path: Path, structs: list[tuple[bool, list[tuple[str, int]]]]) -> None:
    """Sizes, offsets and signs of members are what a C compiler says of the same header; of arrays and nested structs
    too.
    """
    text = HEAD + "#include <stdbool.h>\n"
    for number, (sized, drawn) in enumerate(structs):
        members = [(_known(kind, number), _count(kind, count)) for kind, count in drawn]
        lengths = [f"[{count}]" * (count > 0) for _, count in members]
        body = "size_t size; " * sized + " ".join(f"{kind} m{i}{lengths[i]};" for i, (kind, _) in enumerate(members))
        text += f"typedef struct s{number} {{ {body} }} s{number};\n"
        text += f"int f{number}(loader_call *call, const s{number} *x);\n"
    (tmp_path / "layouts.h").write_text(text)
    checks = ""
    contract = Contract.from_header(tmp_path / "layouts.h")
    for number, (sized, members) in enumerate(structs):
        struct = contract.struct(f"s{number}")
        assert struct.sized == sized
        checks += f'_Static_assert(sizeof({struct.name}) == {struct.size}, "");\n'
        for field, (kind, written_count) in zip(struct.fields, members, strict=True):
            written, count = _known(kind, number), _count(kind, written_count)
            if field.struct is None:
                assert (field.kind, field.size, field.signed) == MEMBERS[written]
            else:
                assert (field.kind, field.struct.name, field.size) == (Kind.STRUCT, written, field.struct.size)
            assert field.count == count
            place = f"offsetof({struct.name}, {field.name}) == {field.offset}"
            width = f"sizeof((({struct.name} *)0)->{field.name}) == {field.size * max(count, 1)}"
            checks += f'_Static_assert({place} && {width}, "{struct.name}.{field.name}");\n'
            if field.kind is Kind.INTEGER:
                checks += f'_Static_assert((({written})-1 < 0) == {int(field.signed)}, "{written}");\n'
    compile_header(text + checks, tmp_path)


# ---- Whole contracts, written and read again --------------------------------------------------------------

_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).map(lambda name: f"{name}_x")
_DOCS = st.lists(st.from_regex(r"[A-Za-z0-9.,:'\"`][A-Za-z0-9.,:'\"` ]{0,20}[a-z.]", fullmatch=True), max_size=3).map(
    "\n".join
)


@st.composite
def _structs(draw: st.DrawFn, name: str) -> Struct:
    sized = draw(st.booleans())
    end, fields = 8 * sized, []
    for field in draw(st.lists(_NAMES, min_size=1, max_size=6, unique=True)):
        kind, size, signed = draw(st.sampled_from(list(MEMBERS.values())))
        offset = -(-end // min(size, 8)) * min(size, 8)
        fields.append(Field(field, kind, offset, size, signed))
        end = offset + size
    align = max(8 * sized, *(min(field.size, 8) for field in fields))
    return Struct(name, -(-end // align) * align, tuple(fields), sized)


_ELEMENTS = {"f32": 4, "f64": 8, **{f"{sign}{bits}": bits // 8 for sign in "iu" for bits in (8, 16, 32, 64)}}
_NUMBERS = [Parameter("", Kind.NUMBERS, size, element=element) for element, size in _ELEMENTS.items()]
_REALS = [Parameter("", Kind.FLOAT, 4), Parameter("", Kind.DOUBLE, 8)]
_WIDE = st.sampled_from([*_REALS, Parameter("", Kind.TEXTS), *_NUMBERS])
#: What services do not take.
_WRITABLE = st.sampled_from([dataclasses.replace(each, writable=True) for each in _NUMBERS])


def _parameters(structs: list[Struct], most: int, *, writable: bool) -> st.SearchStrategy[tuple[Parameter, ...]]:
    kinds = [
        st.just(Parameter("", Kind.TEXT)),
        st.just(Parameter("", Kind.BYTES)),
        st.sampled_from(sorted(set(INTEGERS.values()))).map(lambda of: Parameter("", Kind.INTEGER, *of)),
        *(st.just(Parameter("", Kind.STRUCT, struct=struct)) for struct in structs),
        _WIDE,
        *([_WRITABLE] if writable else ()),
    ]
    unnamed = st.one_of(kinds)
    names = _NAMES.map("{}y".format)  # never a struct's: it would hide that from the parameters after it
    return st.lists(st.tuples(names, unnamed), max_size=most, unique_by=lambda pair: pair[0]).map(
        lambda pairs: tuple(dataclasses.replace(parameter, name=name) for name, parameter in pairs)
    )


@st.composite
def _functions(draw: st.DrawFn, structs: list[Struct], *, most: int = 5, of_service: bool = False) -> Function:
    """With results at any places among the parameters."""
    parameters = draw(_parameters(structs, most, writable=not of_service))
    outs = [Parameter("", Kind.TEXT), Parameter("", Kind.INTEGER, 4, signed=True), *_REALS, *_NUMBERS]
    outs += [Parameter("", Kind.STRUCT, struct=struct) for struct in structs]
    kinds = draw(st.lists(st.sampled_from(outs), max_size=3))
    places = draw(st.permutations(range(len(parameters) + len(kinds))))[: len(kinds)]
    results = tuple(
        dataclasses.replace(kind, name=f"r{number}", position=place)
        for number, (kind, place) in enumerate(zip(kinds, sorted(places), strict=True))
    )
    name, doc = draw(_NAMES.map("f_".__add__)), draw(_DOCS)
    if of_service:
        return Function(name, parameters, gives=None if results else Kind.TEXT, doc=doc, results=results)
    gives = draw(st.sampled_from([Kind.TEXT, Kind.BYTES, *([None] if results else [])]))
    return Function(name, parameters, draw(st.booleans()), gives, doc=doc, results=results)


@st.composite
def _classes(draw: st.DrawFn, name: str, structs: list[Struct]) -> tuple[Class, list[Function]]:
    """A class with its functions, in any order; it is told of by its own functions alone."""
    one = Parameter("me", Kind.INSTANCE, cls=name)
    made = dataclasses.replace(one, position=draw(st.integers(0, 1)))
    optional = draw(st.booleans())
    number = Parameter("number", Kind.INTEGER, 4, signed=True)
    functions = [
        Function(f"{name}_new", (number,), optional, None, results=(made,), cls=name, role="new"),
        Function(f"{name}_free", (one,), optional, None, cls=name, role="free"),
        Function(f"{name}_next", (one,), True, cls=name, role="next"),
        Function(f"f_{name}_other", (number, one), True),  # takes one, and is no method
    ]
    for each in draw(st.lists(_functions(structs, most=4), max_size=1)):
        shifted = tuple(dataclasses.replace(result, position=result.position + 1) for result in each.results)
        parts = {"parameters": (one, *each.parameters), "results": shifted, "cls": name, "role": "method"}
        functions.append(dataclasses.replace(each, name=f"{name}_{each.name}", **parts))
    return Class(name, draw(st.booleans())), draw(st.permutations(functions))


@st.composite
def _interfaces(draw: st.DrawFn, name: str, structs: list[Struct]) -> Interface:
    lent = _functions(structs, of_service=True)
    tables = st.lists(lent, min_size=1, max_size=2, unique_by=lambda function: function.name)
    return Interface(f"i_{name}", tuple(draw(tables)))


@st.composite
def _contracts(draw: st.DrawFn) -> Contract:
    names = draw(st.lists(_NAMES, max_size=3, unique=True))
    structs = [draw(_structs(name)) for name in names]
    functions = _functions(structs)
    lent = _functions(structs, of_service=True)
    tables = st.lists(lent, min_size=1, max_size=4, unique_by=lambda function: function.name)
    services = tuple(
        Service(f"{name}.id/{number + 1}", f"t_{name}", tuple(draw(tables)))
        for number, name in enumerate(draw(st.lists(_NAMES, max_size=2, unique=True)))
    )
    made = draw(st.lists(functions, min_size=1, max_size=4, unique_by=lambda function: function.name))
    classes = []
    for name in draw(st.lists(_NAMES.map("c_".__add__), max_size=1, unique=True)):
        cls, more = draw(_classes(name, structs))
        classes.append(cls)
        made += more
    for name in draw(st.lists(_NAMES, max_size=1)):
        part = Parameter("table", Kind.INTERFACE, interface=draw(_interfaces(name, structs)))
        made.append(Function(f"f_{name}_calls", (part,)))
    version = draw(st.integers(0, 99)), draw(st.integers(0, 99))
    return Contract(draw(_NAMES), *version, tuple(made), services, classes=tuple(classes))


def _integer(size: int, signed: bool) -> str:
    return f"{'' if signed else 'u'}int{size * 8}_t"


def _c_parameter(parameter: Parameter) -> str:
    if parameter.kind is Kind.INTEGER:
        return f"{_integer(parameter.size, parameter.signed)} {parameter.name}"
    if parameter.kind in (Kind.FLOAT, Kind.DOUBLE):
        return f"{parameter.kind.value} {parameter.name}"
    if parameter.kind is Kind.INSTANCE:
        return f"{parameter.cls} *{parameter.name}"
    return f"{'' if parameter.writable else 'const '}{_pointed(parameter)} *{parameter.name}"


def _pointed(parameter: Parameter) -> str:
    if parameter.element:
        return f"loader_{parameter.element}s"
    if parameter.interface is not None:
        return parameter.interface.name
    if parameter.kind is Kind.INSTANCE:  # of a result
        return f"{parameter.cls} *"
    if parameter.struct:
        return parameter.struct.name
    if parameter.kind is Kind.INTEGER:
        return _integer(parameter.size, parameter.signed)
    return parameter.kind.value if parameter.kind in (Kind.FLOAT, Kind.DOUBLE) else f"loader_{parameter.kind.value}"


def _c_parameters(function: Function) -> list[str]:
    """Parameters and results in the order of C."""
    given = list(map(_c_parameter, function.parameters))
    for result in sorted(function.results, key=lambda each: each.position):
        given.insert(result.position, f"LOADER_OUT {_pointed(result)} *{result.name}")
    return given


def _c_header(contract: Contract) -> str:
    """The contract as a header; no two tokens that could stand apart do more than that."""
    parts = [
        '#include "loader/plugin.h"',
        f"LOADER_CONTRACT({contract.name}, {contract.major}, {contract.minor});",
    ]
    for struct in contract.structs:
        parts.append(f"typedef struct {struct.name}_tag {{")
        if struct.sized:
            parts.append("    size_t size;")
        for field in struct.fields:
            plain = {Kind.TEXT: "loader_text", Kind.BYTES: "loader_bytes", Kind.DOUBLE: "double", Kind.FLOAT: "float"}
            parts.append(f"    {plain.get(field.kind) or _integer(field.size, field.signed)} {field.name};")
        parts.append(f"}} {struct.name};")
    for interface in contract.interfaces:
        parts += [*_c_table(interface.name, interface.functions), f"LOADER_INTERFACE({interface.name});"]
    for cls in contract.classes:
        parts.append(f"LOADER_{'SHARED_' * cls.shared}CLASS({cls.name});")
    for function in contract.functions:
        if function.role == "free":
            parts.append(f"{'LOADER_OPTIONAL ' * function.optional}void {function.name}({function.cls} *me);")
            continue
        parts += _c_doc(function.doc)
        flags = "LOADER_GIVES_BYTES " * (function.gives is Kind.BYTES) + "LOADER_OPTIONAL " * function.optional
        flags += "LOADER_GIVES_TEXT " * (function.gives is Kind.TEXT and bool(function.results))
        given = ", ".join(["loader_call *call", *_c_parameters(function)])
        parts.append(f"{flags}int {function.name}({given});")
    for service in contract.services:
        parts += [*_c_table(service.table, service.functions), f'LOADER_SERVICE("{service.id}", {service.table});']
    return "\n".join(parts) + "\n"


def _c_table(name: str, functions: tuple[Function, ...]) -> list[str]:
    parts = [f"typedef struct {name} {name};", f"struct {name} {{", "size_t size;"]
    for function in functions:
        parts += _c_doc(function.doc)
        given = ", ".join(["loader_call *call", f"const {name} *self", *_c_parameters(function)])
        parts.append(f"int (*{function.name})({given});")
    return [*parts, "};"]


def _c_doc(doc: str) -> list[str]:
    return ["/* " + "\n * ".join(doc.split("\n")) + " */"] if doc else []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contract=_contracts(), data=st.data())
def test_round_trip(tmp_path: Path, contract: Contract, data: st.DataObject) -> None:
    """A contract written as a header is the same when it is read, however the header is spaced."""
    text = _c_header(contract)
    assert Contract.from_header(_written(tmp_path, text)) == contract
    lines = text.split("\n")
    spacing = data.draw(st.sampled_from([" ", "\n", " \\\n ", "\t", " /* in between */ ", "\n\n"]))
    code = [line if line[:1] in "#/ *" else line.replace(" ", spacing).replace(",", f"{spacing},") for line in lines]
    spaced = Contract.from_header(_written(tmp_path, "\n".join(code)))
    assert [_bare(function) for function in spaced.functions] == [_bare(function) for function in contract.functions]
    assert spaced.marker == contract.marker
    assert Contract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract


def _bare(function: Function) -> Function:
    return dataclasses.replace(function, doc="")


def _written(folder: Path, text: str) -> Path:
    (folder / "written.h").write_text(text)
    return folder / "written.h"


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contract=_contracts())
def test_generated_headers_compile(tmp_path: Path, contract: Contract) -> None:
    """What the round trip writes is C, so it tests what people write."""
    compile_header(_c_header(contract), tmp_path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_headers(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is cut from, put into or doubled in a header: a contract or a ContractError, nothing else."""
    text = HTMLIZE.read_text()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 60, len(text))))
        scraps = [
            "",
            "(",
            ")",
            "{",
            "}",
            "*",
            ";",
            '"',
            "'",
            "/*",
            "*/",
            "#if ",
            "#endif\n",
            "\\\n",
            "int ",
            "\n",
            "é",
        ]
        text = text[:start] + data.draw(st.sampled_from([*scraps, text[start:end] * 2])) + text[end:]
    try:
        contract = Contract.from_header(_written(tmp_path, text))
    except ContractError as error:
        assert error.found  # noqa: PT017  either outcome is right; what must not happen is a third
    else:
        assert Contract.from_json(contract.to_json()) == contract
