"""Contracts out of C headers: what is read, what the model gives, and its plain values."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path

import pytest
from headers import HEAD, HTMLIZE, compile_header, read_header

from loader.contract import Contract, Field, Function, Kind, Parameter, Service, Struct
from loader.contract.header import LOADER_ABI_MINOR, MAX_STRUCT, target
from loader.errors import ContractError

# ---- What is read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("", 0),
        ("LOADER_NEEDS(0);", 0),
        ("LOADER_NEEDS(2);", 2),
        ("LOADER_NEEDS(3);\nLOADER_NEEDS(1);", 3),  # C takes both, and a host reads the greater one
        ('#include "more.h"', 1),
        ("#if LOADER_ABI_MINOR > 1000\nLOADER_NEEDS(1001);\n#endif", 0),
    ],
)
def test_what_plugins_need_of_the_loader(tmp_path: Path, text: str, needs: int) -> None:
    """As C sees it: the greatest minor that LOADER_NEEDS says. It goes through plain values and pickle."""
    made = read_header(tmp_path, text + "\n", files={"more.h": "LOADER_NEEDS(1);\n"})
    assert made.needs == needs
    for again in (Contract.from_dict(made.to_dict()), pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert (again, again.needs) == (made, needs)
    old = made.to_dict()
    del old["needs"]  # as it was written before a contract knew of it
    assert Contract.from_dict(old).needs == 0


def test_htmlize() -> None:
    """The contract that ships is read as it stands, to the last offset."""
    post = Struct(
        "htmlize_post",
        64,
        (
            Field("id", Kind.INTEGER, 8, 8, signed=True),
            Field("author", Kind.TEXT, 16, 16),
            Field("title", Kind.TEXT, 32, 16),
            Field("contents", Kind.TEXT, 48, 16),
        ),
        sized=True,
    )
    of_post = Parameter("post", Kind.STRUCT, struct=post)
    contract = Contract.from_header(HTMLIZE)
    hooks, role, contents = contract.functions
    (title,) = contract.services[0].functions
    assert contract == Contract(
        "htmlize",
        1,
        0,
        (
            Function("hooks", (), doc=hooks.doc),
            Function(
                "process_role",
                (Parameter("role", Kind.TEXT), Parameter("text", Kind.TEXT), of_post),
                optional=True,
                doc=role.doc,
            ),
            Function(
                "process_contents",
                (Parameter("contents", Kind.TEXT), of_post),
                optional=True,
                doc=contents.doc,
            ),
        ),
        (
            Service(
                "htmlize.posts/1",
                "htmlize_posts",
                (
                    Function(
                        "title",
                        (Parameter("id", Kind.INTEGER, 8, signed=True),),
                        gives=None,
                        doc=title.doc,
                        results=(Parameter("title", Kind.TEXT, position=1),),
                    ),
                ),
            ),
        ),
    )
    assert role.doc.startswith("Writes the HTML that replaces one :role:`text`. `role` is a name that hooks wrote")
    assert "    role:NAME     it answers" in hooks.doc  # relative indentation is kept
    assert title.doc.startswith("Sets *title to the title of post `id`.")
    assert (contract.marker, contract.version, str(contract)) == ("htmlize_abi_1_0", "1.0", "htmlize 1.0")
    assert contract.required == ("hooks",)


def test_greeter(tmp_path: Path) -> None:
    """The smallest contract there is: no macro before its function, so the function is required text."""
    contract = read_header(
        tmp_path,
        "/* greeter.h: contract greeter 1.0 */\n"
        '#include "loader/plugin.h"\n'
        "LOADER_CONTRACT(greeter, 1, 0);\n"
        "int greet(loader_call *call, const loader_text *name);\n",
        head="",
    )
    assert contract == Contract("greeter", 1, 0, (Function("greet", (Parameter("name", Kind.TEXT),)),))


def test_look_ups(tmp_path: Path) -> None:
    """Functions, structs and services are found by name, and what is there is named when one is not."""
    contract = Contract.from_header(HTMLIZE)
    assert contract.function("hooks") is contract.functions[0]
    assert contract.struct("htmlize_post") is contract.functions[1].parameters[2].struct
    assert contract.service("htmlize.posts/1") is contract.services[0]
    with pytest.raises(ContractError, match="no function 'nope'; expected one of hooks, process_role"):
        contract.function("nope")
    with pytest.raises(ContractError, match=r"no struct 'x'; expected one of \(none\)"):
        read_header(tmp_path, "").struct("x")


@pytest.mark.parametrize(
    ("written", "optional", "gives"),
    [
        ("int f(loader_call *call);", False, Kind.TEXT),
        ("extern int f(loader_call *call);", False, Kind.TEXT),
        ("LOADER_EXPORT int f(loader_call *call);", False, Kind.TEXT),
        ("LOADER_OPTIONAL int f(loader_call *call);", True, Kind.TEXT),
        ("LOADER_GIVES_BYTES LOADER_EXPORT int f(loader_call *call);", False, Kind.BYTES),
        ("LOADER_GIVES_BYTES LOADER_OPTIONAL int f(loader_call *call);", True, Kind.BYTES),
        ("#define MINE LOADER_OPTIONAL\nMINE int f(loader_call *call);", True, Kind.TEXT),
        ('__attribute__((visibility("default"))) int f(loader_call *call);', False, Kind.TEXT),
        ("__declspec(dllexport) int f(loader_call *call);", False, Kind.TEXT),
        ("int f(loader_call *call) __attribute__((nonnull(1), warn_unused_result));", False, Kind.TEXT),
    ],
)
def test_flags(tmp_path: Path, written: str, optional: bool, gives: Kind) -> None:
    """LOADER_OPTIONAL and LOADER_GIVES_BYTES say what their comments in plugin.h say, others nothing."""
    function = read_header(tmp_path, written + "\n").function("f")
    assert (function.optional, function.gives) == (optional, gives)


@pytest.mark.parametrize(
    ("written", "size", "signed"),
    [
        ("int8_t", 1, True),
        ("uint8_t", 1, False),
        ("signed char", 1, True),
        ("unsigned char", 1, False),
        ("char", 1, target.CHAR_IS_SIGNED),
        ("bool", 1, False),
        ("_Bool", 1, False),
        ("short", 2, True),
        ("int16_t", 2, True),
        ("unsigned short int", 2, False),
        ("int", 4, True),
        ("signed", 4, True),
        ("unsigned", 4, False),
        ("const int", 4, True),
        ("uint32_t", 4, False),
        ("enum colour", 4, True),
        ("colour_t", 4, True),
        ("long", target.LONG_SIZE, True),
        ("unsigned long", target.LONG_SIZE, False),
        ("long unsigned int long", 8, False),
        ("long long", 8, True),
        ("int64_t", 8, True),
        ("size_t", 8, False),
        ("uintptr_t", 8, False),
        ("ptrdiff_t", 8, True),
        ("mine_t", 2, False),
    ],
)
def test_integers(tmp_path: Path, written: str, size: int, signed: bool) -> None:
    """Every integer type of C, by value, has the width and sign that a compiler gives it."""
    types = (
        "#include <stdbool.h>\nenum colour { RED, GREEN = RED + 1, BLUE = 1 << 2, NONE = -1 };\n"
        "typedef enum colour colour_t;\ntypedef uint16_t base_t;\ntypedef base_t mine_t;\n"
    )
    header = f"{types}int f(loader_call *call, {written} x);\n"
    (found,) = read_header(tmp_path, header).function("f").parameters
    assert (found.name, found.kind, found.size, found.signed) == ("x", Kind.INTEGER, size, signed)
    sign = "((T)-1 < (T)0)" if size > 1 or signed else "0"
    checks = f'typedef {written} T;\n_Static_assert(sizeof(T) == {size} && {sign} == {int(signed)}, "T");\n'
    compile_header(HEAD + header + checks, tmp_path)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("const loader_text *x", Kind.TEXT),
        ("loader_text const *x", Kind.TEXT),
        ("const loader_text *const x", Kind.TEXT),
        ("const loader_text *restrict x", Kind.TEXT),
        ("const struct_text *x", Kind.TEXT),
        ("text_pointer x", Kind.TEXT),
        ("const loader_bytes *x", Kind.BYTES),
        ("const pair *x", Kind.STRUCT),
        ("const struct pair *x", Kind.STRUCT),
        ("pair_pointer x", Kind.STRUCT),
    ],
)
def test_pointers(tmp_path: Path, written: str, kind: Kind) -> None:
    """Constness and typedefs may be written in every way that C has."""
    header = (
        "typedef struct pair { int32_t a, b; } pair;\ntypedef const pair *pair_pointer;\n"
        "typedef loader_text struct_text;\ntypedef const loader_text *text_pointer;\n"
        f"int f(loader_call *call, {written});\n"
    )
    (parameter,) = read_header(tmp_path, header).function("f").parameters
    assert parameter.kind is kind
    if kind is Kind.STRUCT:
        fields = (Field("a", Kind.INTEGER, 0, 4, signed=True), Field("b", Kind.INTEGER, 4, 4, signed=True))
        assert parameter.struct == Struct("pair", 8, fields, sized=False)
    compile_header(HEAD + header, tmp_path)


def test_names_of_structs(tmp_path: Path) -> None:
    """A struct is called by its typedef, else by its tag; size_t size is the host's only if it is first."""
    contract = read_header(
        tmp_path,
        "struct tagged { size_t size; int8_t a; double b; };\n"
        "typedef struct { int8_t a; size_t size; } nameless;\n"
        "struct late; typedef struct late renamed; struct late { loader_bytes b; };\n"
        "typedef struct { uint64_t size; } number;\n"
        "int f(loader_call *call, const struct tagged *a, const nameless *b, const renamed *c,\n"
        "      const number *d);\n",
    )
    assert [(struct.name, struct.size, struct.sized) for struct in contract.structs] == [
        ("tagged", 24, True),
        ("nameless", 16, False),
        ("renamed", 16, False),
        ("number", 8, False),
    ]
    assert [field.offset for field in contract.struct("tagged").fields] == [8, 16]


def test_several_names_in_one_declaration(tmp_path: Path) -> None:
    """One declaration may declare several types or functions; a flag in front is for all of them."""
    header = (
        "typedef struct s { int a, b; } s, *s_pointer;\ntypedef struct { int16_t a; } q, r;\n"
        "typedef enum { A } e1, e2;\n"
        "LOADER_OPTIONAL int f(loader_call *call, const s *x, const r *y, e2 z), g(loader_call *call);\n"
    )
    contract = read_header(tmp_path, header)
    assert [(function.name, function.optional) for function in contract.functions] == [
        ("fine", False),
        ("f", True),
        ("g", True),
    ]
    assert [(struct.name, struct.size) for struct in contract.structs] == [("s", 8), ("q", 2)]
    compile_header(HEAD + header, tmp_path)


def test_services(tmp_path: Path) -> None:
    """A service's functions lose call, table and result; its result says what they give."""
    header = (
        "typedef struct key { loader_text name; int16_t part; } key;\n"
        "typedef struct app_db app_db;\n"
        "/* the whole table */\n"
        "struct app_db {\n"
        "    size_t size;\n"
        "    // gives text\n"
        "    int (*text)(loader_call *call, const app_db *db, const key *key, LOADER_OUT loader_text *out);\n"
        "    /* gives\n     * bytes */\n"
        "    int\n    (*raw)(loader_call *, const app_db *, const loader_bytes *name,\n"
        "        uint8_t flag, LOADER_OUT loader_bytes *value);\n"
        "    int (*count)(loader_call *call, const struct app_db *db, LOADER_OUT int64_t *result);\n"
        "    int (*mean)(loader_call *call, const app_db *db, LOADER_OUT double *result); /* behind: no doc */\n"
        "    int (*write)(loader_call *call, const app_db *db, int value);\n"
        "};\n"
        '#define ID "app.db"\n'
        'LOADER_SERVICE(ID "/2", app_db);\n'
    )
    contract = read_header(tmp_path, header)
    key = contract.struct("key")
    assert contract.services == (
        Service(
            "app.db/2",
            "app_db",
            (
                Function(
                    "text",
                    (Parameter("key", Kind.STRUCT, struct=key),),
                    gives=None,
                    doc="gives text",
                    results=(Parameter("out", Kind.TEXT, position=1),),
                ),
                Function(
                    "raw",
                    (Parameter("name", Kind.BYTES), Parameter("flag", Kind.INTEGER, 1)),
                    gives=None,
                    doc="gives\nbytes",
                    results=(Parameter("value", Kind.BYTES, position=2),),
                ),
                Function("count", (), gives=None, results=(Parameter("result", Kind.INTEGER, signed=True),)),
                Function("mean", (), gives=None, results=(Parameter("result", Kind.DOUBLE),)),
                Function("write", (Parameter("value", Kind.INTEGER, 4, signed=True),)),
            ),
        ),
    )
    compile_header(HEAD + header, tmp_path)


@pytest.mark.parametrize(
    ("comment", "doc"),
    [
        ("/* One line. */\n", "One line."),
        ("/** Two\n *  lines.\n */\n", "Two\nlines."),
        ("/* Code:\n *     indented\n *\n * End. */\n", "Code:\n    indented\n\nEnd."),
        ("/* No\n   stars. */\n", "No\nstars."),
        ("// One.\n// Two.\n", "One.\nTwo."),
        ("/// Doxygen.\n", "Doxygen."),
        ("/* First. */\n/* Second. */\n", "First.\nSecond."),
        ("/* Far. */\n\n", ""),
        ("/* Far. */\n\n/* Near. */\n", "Near."),
        ("int other(loader_call *call); /* Of the other one. */\n", ""),
        ("/* Of the condition. */\n#if 1\n#endif\n", ""),
        ("#define NOTHING\n/* Before a macro. */\nNOTHING ", "Before a macro."),
        ("/* Before a flag. */\nLOADER_EXPORT\n", "Before a flag."),
        ("/* grüß Gott: 'quotes\" and // slashes */\n", "grüß Gott: 'quotes\" and // slashes"),
    ],
)
def test_docs(tmp_path: Path, comment: str, doc: str) -> None:
    """The comment block right before a prototype is its doc, without its decoration."""
    assert read_header(tmp_path, comment + "int f(loader_call *call);\n").function("f").doc == doc


# ---- Plain values -----------------------------------------------------------------------------------------


def test_values() -> None:
    """A contract pickles, is hashable, and comes back from JSON as it was."""
    contract = Contract.from_header(HTMLIZE)
    assert Contract.from_json(contract.to_json()) == contract
    assert Contract.from_json(contract.to_json()).digest == contract.digest
    assert pickle.loads(pickle.dumps(contract)) == contract
    assert len({contract, Contract.from_header(HTMLIZE)}) == 1


def test_a_contract_of_ones_own_class() -> None:
    """Copies and pickles are of the class of the original, and have what a contract carries beside its fields."""
    contract = Own.from_header(HTMLIZE)
    for again in (pickle.loads(pickle.dumps(contract)), copy.copy(contract), copy.deepcopy(contract)):
        assert type(again) is Own
        assert again == contract
        assert [form.name for form in again.forms] == [each.name for each in contract.functions]
    assert dataclasses.asdict(contract).keys() == {each.name for each in dataclasses.fields(contract)}


def test_the_largest_struct(tmp_path: Path) -> None:
    """What the header may say, the C side takes."""
    members = "".join(f"int64_t m{number}; " for number in range(MAX_STRUCT // 8))
    text = f"typedef struct page {{ {members} }} page;\nint show(loader_call *call, const page *x);"
    assert read_header(tmp_path, text).struct("page").size == MAX_STRUCT


class Own(Contract):
    """An application's."""


def _set(values: object, path: str, value: object) -> None:
    *folders, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for each in folders:
        values = values[each]  # type: ignore[index]
    values[last] = value  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", 1),
        ("major", "1"),
        ("major", True),
        ("minor", -1),
        ("structs.0.size", 56),
        ("structs.0.size", 80),
        ("structs.0.fields.1.offset", 8),
        ("structs.0.fields.1.offset", 17),
        ("structs.0.fields.0.offset", 0),
        ("structs.0.fields.0.size", 3),
        ("structs.0.fields.0.kind", "struct"),
        ("structs.0.fields.1.size", 8),
        ("functions.1.parameters.2.struct", "nope"),
        ("functions.1.parameters.0.kind", "self"),
        ("functions.1.parameters.0.size", 4),
        ("functions.1.gives", "nope"),
        ("functions.1.optional", 1),
        ("functions", {}),
        ("name", "loader"),  # its markers would be those of the base ABI
        ("name", "a" * 101),
        ("name", "a\nb"),
        ("major", 1_000_000),
        ("needs", -1),
        ("needs", True),
        ("needs", LOADER_ABI_MINOR + 1),
        ("services.0.functions.0.results.0.kind", "struct"),
        ("services.0.functions.0.parameters.0.size", 16),
    ],
)
def test_values_are_checked(path: str, value: object) -> None:
    """Values that are not a contract's are refused down to offsets, as C code reads memory by them."""
    values = Contract.from_header(HTMLIZE).to_dict()
    _set(values, path, value)
    with pytest.raises(ContractError, match="these values are not a contract's"):
        Contract.from_dict(values)


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", "null", "1", "[" * 100_000])
def test_no_json(text: str) -> None:
    """What is not JSON, or not a contract's, is a ContractError."""
    with pytest.raises(ContractError):
        Contract.from_json(text)


def test_what_is_no_attribute_says_where_it_is(tmp_path: Path) -> None:
    """A class and a function are the plugin's, an interface and a service's table the application's."""
    made = read_header(
        tmp_path,
        """typedef enum x_mode { X_A = 0 } x_mode;
typedef struct x_seen x_seen;
struct x_seen { size_t size; int (*at)(loader_call *call, const x_seen *self, x_mode mode); };
LOADER_INTERFACE(x_seen);
typedef struct x_store x_store;
struct x_store { size_t size; int (*get)(loader_call *call, const x_store *self, x_mode mode); };
LOADER_SERVICE("x.store/1", x_store);
LOADER_CLASS(x_reader);
LOADER_EXPORT int x_reader_new(loader_call *call, LOADER_OUT x_reader **made);
LOADER_EXPORT void x_reader_free(x_reader *reader);
LOADER_EXPORT int walk(loader_call *call, const x_seen *seen);
""",
    )
    said = {}
    for name in ("x_reader", "walk", "x_seen", "x_store", "x_mod", "nothing", "__nothing__", "from_hedaer"):
        with pytest.raises(AttributeError) as caught:
            getattr(made, name)
        error = caught.value
        said[name] = str(error).removeprefix(f"contract {made} ")
        # Python would ask by these whether another name was meant, a second time.
        assert (error.name, getattr(error, "obj", None)) == (name, None)
    stub = "in annotations it is 'MODULE.{}', in quotes, where MODULE has the stub that `loader stubs` writes"
    own = "any with the functions of this"
    assert said == {
        "x_reader": f"has a class x_reader, and each plugin its own: plugin.x_reader; {stub.format('x_reader')}",
        "walk": "has a function walk, which is each plugin's: plugin.walk",
        "x_seen": f"has no object x_seen: {own} interface will do; {stub.format('x_seen')}",
        "x_store": f"has no object x_store: {own} service will do; {stub.format('x_store')}",
        "x_mod": "has no x_mod. Did you mean x_mode?",
        "nothing": "has no nothing",
        "__nothing__": "has no __nothing__",
        "from_hedaer": "has no from_hedaer. Did you mean from_header?",
    }
