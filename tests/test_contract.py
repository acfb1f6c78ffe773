"""Contracts out of C headers: what is read, what is refused and where, layouts against a C compiler, the cache."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.contract import (
    MAX_PARAMETERS,
    Contract,
    Field,
    Function,
    Kind,
    Parameter,
    Service,
    Struct,
)
from loader.errors import ContractError
from loader.header import MAX_SERVICE_PARAMETERS, target

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
HTMLIZE = ROOT / "include" / "htmlize" / "htmlize.h"
COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

# Lines 1 and 2 of every small header here; line 3 is a function, and the case itself begins in line 4.
HEAD = '#include "loader/plugin.h"\nLOADER_CONTRACT(test, 1, 0);\nint fine(loader_call *call);\n'


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATIVE_PLUGIN_LOADER_CACHE", "off")


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Contract]:
    """Reads a header given as text; `files` are put beside it."""

    def write_and_read(text: str, *, files: dict[str, str] | None = None, head: str = HEAD) -> Contract:
        for name, content in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        (tmp_path / "test.h").write_text(head + text)
        return Contract.from_header(tmp_path / "test.h")

    return write_and_read


def compile_header(header: str, tmp_path: Path, *, language: str = "c11") -> None:
    """Fails with the compiler's words if `header` is not what a compiler accepts without a warning."""
    if COMPILER is None:
        pytest.skip("no C compiler")
    source = tmp_path / "compiled.c"
    source.write_text(header)
    command = [COMPILER, f"-std={language}", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-DLOADER_HOST"]
    run = subprocess.run(
        [*command, f"-I{ROOT / 'include'}", str(source)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr + header


# ---- What is read -----------------------------------------------------------------------------------------


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
                        gives=Kind.TEXT,
                        result=Parameter("title", Kind.TEXT),
                        doc=title.doc,
                    ),
                ),
            ),
        ),
    )
    assert role.doc.startswith(
        "Writes the HTML that replaces one :role:`text`. `role` is a name that hooks wrote"
    )
    assert "    role:NAME     it answers" in hooks.doc  # relative indentation is kept
    assert title.doc.startswith("Sets *title to the title of post `id`.")
    assert (contract.marker, contract.version, str(contract)) == ("htmlize_abi_1_0", "1.0", "htmlize 1.0")
    assert contract.required == ("hooks",)


def test_greeter(read: Callable[..., Contract]) -> None:
    """The smallest contract there is: no macro before its function, so the function is required text."""
    contract = read(
        "/* greeter.h: contract greeter 1.0 */\n"
        '#include "loader/plugin.h"\n'
        "LOADER_CONTRACT(greeter, 1, 0);\n"
        "int greet(loader_call *call, const loader_text *name);\n",
        head="",
    )
    assert contract == Contract("greeter", 1, 0, (Function("greet", (Parameter("name", Kind.TEXT),)),))


def test_look_ups(read: Callable[..., Contract]) -> None:
    """Functions, structs and services are found by name, and what is there is named when one is not."""
    contract = Contract.from_header(HTMLIZE)
    assert contract.function("hooks") is contract.functions[0]
    assert contract.struct("htmlize_post") is contract.functions[1].parameters[2].struct
    assert contract.service("htmlize.posts/1") is contract.services[0]
    with pytest.raises(ContractError, match="no function 'nope'; expected one of hooks, process_role"):
        contract.function("nope")
    with pytest.raises(ContractError, match=r"no struct 'x'; expected one of \(none\)"):
        read("").struct("x")


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
def test_flags(read: Callable[..., Contract], written: str, optional: bool, gives: Kind) -> None:
    """LOADER_OPTIONAL and LOADER_GIVES_BYTES say what their comments in plugin.h say, others nothing."""
    function = read(written + "\n").function("f")
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
def test_integers(
    read: Callable[..., Contract], tmp_path: Path, written: str, size: int, signed: bool
) -> None:
    """Every integer type of C, by value, has the width and sign that a compiler gives it."""
    types = (
        "#include <stdbool.h>\nenum colour { RED, GREEN = RED + 1, BLUE = 1 << 2, NONE = -1 };\n"
        "typedef enum colour colour_t;\ntypedef uint16_t base_t;\ntypedef base_t mine_t;\n"
    )
    header = f"{types}int f(loader_call *call, {written} x);\n"
    assert read(header).function("f").parameters == (Parameter("x", Kind.INTEGER, size, signed),)
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
def test_pointers(read: Callable[..., Contract], tmp_path: Path, written: str, kind: Kind) -> None:
    """Constness and typedefs may be written in every way that C has."""
    header = (
        "typedef struct pair { int32_t a, b; } pair;\ntypedef const pair *pair_pointer;\n"
        "typedef loader_text struct_text;\ntypedef const loader_text *text_pointer;\n"
        f"int f(loader_call *call, {written});\n"
    )
    (parameter,) = read(header).function("f").parameters
    assert parameter.kind is kind
    if kind is Kind.STRUCT:
        fields = (Field("a", Kind.INTEGER, 0, 4, signed=True), Field("b", Kind.INTEGER, 4, 4, signed=True))
        assert parameter.struct == Struct("pair", 8, fields, sized=False)
    compile_header(HEAD + header, tmp_path)


def test_names_of_structs(read: Callable[..., Contract]) -> None:
    """A struct is called by its typedef, or by its tag if it has none; size_t size is the host's only if first."""
    contract = read(
        "struct tagged { size_t size; int8_t a; double b; };\n"
        "typedef struct { int8_t a; size_t size; } nameless;\n"
        "struct late; typedef struct late renamed; struct late { loader_bytes b; };\n"
        "typedef struct { uint64_t size; } number;\n"
        "int f(loader_call *call, const struct tagged *a, const nameless *b, const renamed *c, const number *d);\n"
    )
    assert [(struct.name, struct.size, struct.sized) for struct in contract.structs] == [
        ("tagged", 24, True),
        ("nameless", 16, False),
        ("renamed", 16, False),
        ("number", 8, False),
    ]
    assert [field.offset for field in contract.struct("tagged").fields] == [8, 16]


def test_services(read: Callable[..., Contract], tmp_path: Path) -> None:
    """A service's functions lose call, table and result; its result says what they give."""
    header = (
        "typedef struct key { loader_text name; int16_t part; } key;\n"
        "typedef struct app_db app_db;\n"
        "/* the whole table */\n"
        "struct app_db {\n"
        "    size_t size;\n"
        "    // gives text\n"
        "    int (*text)(loader_call *call, const app_db *db, const key *key, loader_text *out);\n"
        "    /* gives\n     * bytes */\n"
        "    int\n    (*raw)(loader_call *, const app_db *, const loader_bytes *name,\n"
        "        uint8_t flag, loader_bytes *);\n"
        "    int (*count)(loader_call *call, const struct app_db *db, int64_t *result);\n"
        "    int (*mean)(loader_call *call, const app_db *db, double *result); /* behind: no doc */\n"
        "    int (*write)(loader_call *call, const app_db *db, int value);\n"
        "};\n"
        '#define ID "app.db"\n'
        'LOADER_SERVICE(ID "/2", app_db);\n'
    )
    contract = read(header)
    key = contract.struct("key")
    assert contract.services == (
        Service(
            "app.db/2",
            "app_db",
            (
                Function(
                    "text",
                    (Parameter("key", Kind.STRUCT, struct=key),),
                    result=Parameter("out", Kind.TEXT),
                    doc="gives text",
                ),
                Function(
                    "raw",
                    (Parameter("name", Kind.BYTES), Parameter("flag", Kind.INTEGER, 1)),
                    gives=Kind.BYTES,
                    result=Parameter("result", Kind.BYTES),
                    doc="gives\nbytes",
                ),
                Function(
                    "count", (), gives=Kind.INTEGER, result=Parameter("result", Kind.INTEGER, signed=True)
                ),
                Function("mean", (), gives=Kind.DOUBLE, result=Parameter("result", Kind.DOUBLE)),
                Function("write", (Parameter("value", Kind.INTEGER, 4, signed=True),), gives=None),
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
def test_docs(read: Callable[..., Contract], comment: str, doc: str) -> None:
    """The comment block right before a prototype is its doc, without its decoration."""
    assert read(comment + "int f(loader_call *call);\n").function("f").doc == doc


# ---- The preprocessor -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("#if 1", True),
        ("#if 0", False),
        ("#ifdef __cplusplus", False),
        ("#ifndef __cplusplus", True),
        ("#ifdef LOADER_EXPORT", True),
        ("#if LOADER_ABI == 1 && defined(LOADER_CONTRACT)", True),
        ("#if defined __cplusplus || defined(NOTHING)", False),
        ("#if __STDC_VERSION__ >= 201112L", True),
        ("#if __GNUC__ > 4", False),  # which compiler it is stays open
        ("#if defined(FOO) && FOO > 3", False),  # C does not evaluate the right side
        ("#define FOO (1 + 2)\n#if FOO * 3 == 9 && !(FOO < 3)", True),
        ("#define FOO BAR\n#define BAR FOO\n#ifdef FOO", True),
        ("#if -7 / 2 == -3 && -7 % 2 == -1", True),
        ("#if 0x10 == 020 && 'A' == 65 && (1 << 3 | 1) == 9 && ~0 == -1", True),
        ("#if 10 - 2 - 3 == 5 && 2 + 3 * 4 == 14", True),
        ("#if 1 || 1 / 0", True),
        ("#if 0\n#elif 1", True),
        ("#if 1\n#elif nonsense (", True),
        ("#if 0\n#else", True),
        ("#if 1\n#else", False),
        ("#if 0\n#if 1\n#else\n#endif\n#elif 0\n#else", True),
        ("#if 0\n#error don't\n#include nothing\n#unknown\n#else", True),
        ("#  define FOO /* a\ncomment */ 1\n# if FOO \\\n  == 1", True),
        ("#define FOO 1\n#undef FOO\n#ifdef FOO", False),
        ("#warning never mind\n#pragma GCC visibility push(default)\n#if 1", True),
    ],
)
def test_conditions(read: Callable[..., Contract], condition: str, holds: bool) -> None:
    """Conditions hold when they do in C."""
    contract = read(f"{condition}\nint f(loader_call *call);\n#endif\n")
    assert [function.name for function in contract.functions] == (["fine", "f"] if holds else ["fine"])


def test_constants_and_inline_functions_are_left_out(read: Callable[..., Contract], tmp_path: Path) -> None:
    """What is static, and asserts, are no part of a contract, whatever C they are written in."""
    header = (
        "#define LIMIT 100\n#define SQUARE(x) ((x) * (x))\nenum { FIRST = LIMIT };\n"
        'LOADER_STATIC_ASSERT(sizeof(int) == 4 && (";" "{")[0] == \';\', "}");\n'
        '_Static_assert(1,\n\n    "two lines");\n'
        "static const int constant = SQUARE(3);\n"
        "static inline FILE *helper(FILE *file, int n)\n{\n    if (n) { return file; }\n    return NULL;\n}\n"
        "__attribute__((unused)) static int other(void) { return SQUARE(constant); }\n"
        "static inline int declared_only(int x);\n"
        "static inline int declared_only(int x) { return x; }\n"
        "LOADER_EXPORT int f(loader_call *call, int n);\n"
    )
    contract = read(header)
    assert [function.name for function in contract.functions] == ["fine", "f"]
    used = "int use(void) { return helper(NULL, 0) == NULL && declared_only(other()); }\n"
    compile_header(HEAD + header + used, tmp_path)


def test_includes(read: Callable[..., Contract], tmp_path: Path) -> None:
    """Quoted includes are read beside the header or in `include`, once each if guarded, at any depth."""
    files = {
        "types.h": '#ifndef T\n#define T\n#include "sub/inner.h"\n#include "test.h"\ntypedef inner outer;\n#endif\n',
        "sub/inner.h": "#pragma once\n#include <math.h>\ntypedef struct inner { int32_t a; } inner;\n",
        "far/far.h": "int far_one(loader_call *call);\n",
    }
    head = (
        '#ifndef GUARD\n#define GUARD\n#include "loader/plugin.h"\n#include "stdint.h"\n#include "types.h"\n'
    )
    text = (
        head
        + '#include "sub/inner.h"\nLOADER_CONTRACT(test, 1, 0);\nint f(loader_call *call, const outer *x);\n'
    )
    contract = read(text + "#endif\n", files=files, head="")
    assert contract.struct("inner").size == 4
    (tmp_path / "test.h").write_text(text + '#include "far.h"\n#include <far.h>\n#endif\n')
    with pytest.raises(ContractError, match='"far.h" is not found'):
        Contract.from_header(tmp_path / "test.h")
    (tmp_path / "test.h").write_text(text + "#include <far.h>\n#endif\n")
    contract = Contract.from_header(tmp_path / "test.h", include=[tmp_path / "far"])
    assert contract.required == ("f", "far_one")


def test_windows_newlines_and_byte_order_mark(tmp_path: Path) -> None:
    """A header saved on Windows is the same contract, with the same lines in refusals."""
    header = tmp_path / "test.h"
    header.write_bytes(
        b"\xef\xbb\xbf"
        + (HEAD + "#define A \\\n  1\nint f(loader_call *call, double x);\n").replace("\n", "\r\n").encode()
    )
    with pytest.raises(ContractError, match="line 6: "):
        Contract.from_header(header)


# ---- What is refused --------------------------------------------------------------------------------------

_USE = "int f(loader_call *call, const s *x);"
_TABLE = 'typedef struct t t; struct t { size_t size; %s };\nLOADER_SERVICE("t/1", t);'

REFUSED = {
    # parameters
    "int f(loader_call *call, double x);": (4, "parameter 'x' of 'f' is a double by value"),
    "int f(loader_call *call,\n  int a,\n  float x);": (6, "parameter 'x' of 'f' is a float by value"),
    "int f(loader_call *call, long double x);": (4, "is a long double by value"),
    "int f(loader_call *call, __int128 x);": (4, "is a __int128 by value"),
    "int f(loader_call *call, loader_text x);": (4, "is a loader_text by value"),
    "typedef struct s { int a; } s; int f(loader_call *call, s x);": (4, "is a struct s by value"),
    "int f(loader_call *call, loader_text *x);": (4, "is a non-const pointer (loader_text *)"),
    "typedef struct s { int a; } s; int f(loader_call *call, s *x);": (
        4,
        "is a non-const pointer (struct s *)",
    ),
    "int f(loader_call *call, int64_t *x);": (4, "is a pointer of another kind (int64_t *)"),
    "int f(loader_call *call, const char *x);": (4, "is a pointer of another kind (const char *)"),
    "int f(loader_call *call, const void *x);": (4, "is a pointer of another kind (const void *)"),
    "int f(loader_call *call, loader_call *x);": (4, "is a pointer of another kind (loader_call *)"),
    "int f(loader_call *call, const loader_text **x);": (4, "is a pointer to a pointer"),
    "int f(loader_call *call, const loader_text *const *x);": (4, "is a pointer to a pointer"),
    "int f(loader_call *call, void (*x)(int));": (4, "is a pointer to a function"),
    "int f(loader_call *call, int x(int));": (4, "is a function"),
    "typedef int (*cb)(int);\nint f(loader_call *call, cb x);": (5, "is a pointer to a function"),
    "union u { int a; };\nint f(loader_call *call, union u x);": (5, "is a union u"),
    "union u { int a; };\nint f(loader_call *call, const union u *x);": (5, "another kind (const union u *)"),
    "int f(loader_call *call, int x[4]);": (4, "is an array of int"),
    "int f(loader_call *call, const loader_text x[static 2]);": (4, "is an array of const loader_text"),
    "int f(loader_call *call, volatile int x);": (4, "volatile"),
    "int f(loader_call *call, const volatile loader_text *x);": (4, "volatile"),
    "enum e { A = 5000000000 };\nint f(loader_call *call, enum e x);": (5, "not every value is known to fit"),
    "enum e { A = sizeof(int) };\nint f(loader_call *call, enum e x);": (
        5,
        "not every value is known to fit",
    ),
    "int f(loader_call *call, enum nowhere x);": (4, "not every value is known to fit"),
    "int f(loader_call *call, int);": (4, "parameter 1 of 'f' has no name"),
    "int f(loader_call *call, int a, int a);": (4, "'f' has two parameters 'a'"),
    "int f(loader_call *call, int from);": (4, "parameter 'from' of 'f' is a key word of Python"),
    "int f(loader_call *call, ...);": (4, "'f' is variadic"),
    "int f(loader_call *call, int a, int b, int c, int d,\n int e, int g, int h, int i, int j);": (
        5,
        "9 parameters",
    ),
    # the shape
    "void f(loader_call *call);": (4, "'f' returns void"),
    "long f(loader_call *call);": (4, "'f' returns a long"),
    "const char *f(loader_call *call);": (4, "'f' returns a const char *"),
    "enum e { A };\nenum e f(loader_call *call);": (5, "'f' returns an enum e"),
    "int f(void);": (4, "the first parameter of 'f' is missing"),
    "int f();": (4, "the first parameter of 'f' is missing"),
    "int f(int x, loader_call *call);": (4, "the first parameter of 'f' is an int"),
    "int f(const loader_call *call);": (4, "the first parameter of 'f' is a const loader_call *"),
    "int f(loader_call call);": (4, "the first parameter of 'f' is a loader_call"),
    "\nint fine(loader_call *call);": (5, "'fine' is declared twice, first in line 3"),
    "int f(loader_call *call)\n{ return 0; }": (4, "a function is defined here"),
    "extern int x;": (4, "'x' is a variable"),
    "const int x = 3;": (4, "'x' is a variable"),
    "LOADER_OPTIONAL typedef struct s s;": (4, "LOADER_OPTIONAL before what is not a function"),
    # structs
    "typedef struct s s;\n" + _USE: (5, "struct s is declared but not defined"),
    "int f(loader_call *call, const struct { int a; } *x);": (4, "struct without a name"),
    "typedef struct s {\n unsigned a : 3;\n} s;\n" + _USE: (5, "member 'a' of 's' is a bit-field"),
    "typedef struct s {\n int a[3]; } s;\n" + _USE: (5, "member 'a' of 's' is an array of int"),
    "typedef struct r { int a; } r; typedef struct s {\n r a; } s;\n" + _USE: (5, "is a nested struct r"),
    "typedef struct s {\n struct { int a; };\n} s;\n" + _USE: (
        5,
        "a member without a name of 's' is a nested",
    ),
    "typedef struct s {\n union { int a; } b; } s;\n" + _USE: (5, "member 'b' of 's' is a union"),
    "typedef struct s {\n const char *a; } s;\n" + _USE: (
        5,
        "member 'a' of 's' is a pointer of another kind",
    ),
    "typedef struct s {\n int (*a)(void); } s;\n" + _USE: (5, "member 'a' of 's' is a pointer to a function"),
    "typedef struct s {\n float a; } s;\n" + _USE: (5, "member 'a' of 's' is a float"),
    "typedef struct s {\n _Alignas(16) int a; } s;\n" + _USE: (5, "is aligned by _Alignas"),
    "typedef struct s {\n volatile int a; } s;\n" + _USE: (5, "volatile"),
    "typedef struct s {\n int a;\n int a; } s;\n" + _USE: (6, "'s' has two members 'a'"),
    "typedef struct s {\n size_t size;\n int size; } s;\n" + _USE: (6, "'s' has two members 'size'"),
    "typedef struct s {\n} s;\n" + _USE: (6, "'s' has no members"),
    "struct s { int a; };\nstruct s { int a; };": (5, "struct 's' is defined twice"),
    "typedef struct __attribute__((packed)) s { int a; } s;": (4, "attribute 'packed' is not supported"),
    "typedef struct s { int a; }\n __attribute__((__aligned__(2))) s;": (5, "attribute '__aligned__'"),
    "#pragma pack(push, 1)": (4, "#pragma pack(push, 1) changes the layout"),
    '_Pragma("pack(1)")': (4, "_Pragma is not supported"),
    "struct s { int a; }; typedef struct t { int b; } s;\nint f(loader_call *call, const struct s *x, const s *y);": (
        5,
        "there are two structs 's'",
    ),
    "typedef int a;\ntypedef long a;": (5, "type 'a' is defined twice"),
    "typedef int int64_t;": (4, "type 'int64_t' is defined anew"),
    # services
    'LOADER_SERVICE("t/1", t);': (4, "the table 't' of 't/1' is not a struct that is defined here"),
    'typedef struct t t;\nLOADER_SERVICE("t/1", t);': (5, "is not a struct that is defined here"),
    'typedef struct t {\n int (*f)(loader_call *call, const struct t *t); } t;\nLOADER_SERVICE("t/1", t);': (
        5,
        "the table 't' does not begin with its size",
    ),
    _TABLE % "": (5, "the table 't' has no function"),
    _TABLE % "\nint a;": (5, "member 'a' of the table 't' is an int"),
    _TABLE % "\nvoid (*f)(loader_call *call, const t *t);": (5, "'t.f' returns void"),
    _TABLE % "\nint (*f)(const t *t);": (5, "the first parameter of 't.f' is a const struct t *"),
    _TABLE % "\nint (*f)(loader_call *call);": (5, "the second parameter of 't.f' is not its table"),
    _TABLE % "\nint (*f)(loader_call *call, t *t);": (5, "the second parameter of 't.f' is not its table"),
    _TABLE % "\nint (*f)(loader_call *call, const t *t,\n loader_text *a, int b);": (
        6,
        "is a non-const pointer",
    ),
    _TABLE % "\nint (*f)(loader_call *call, const t *t,\n int32_t *a);": (6, "another kind (int32_t *)"),
    _TABLE % "\nint (*f)(loader_call *call, const t *t,\n const double *a);": (
        6,
        "another kind (const double *)",
    ),
    _TABLE % "int (*f)(loader_call *call, const t *t, int);": (4, "parameter 1 of 't.f' has no name"),
    _TABLE
    % "int (*f)(loader_call *c, const t *t, int a, int b, int d, int e, int g, int h, int i,\nint j);": (
        5,
        "8 parameters",
    ),
    _TABLE % "int (*f)(loader_call *c, const t *t);\nint (*f)(loader_call *c, const t *t);": (
        5,
        "two members 'f'",
    ),
    _TABLE % "int (*f)(loader_call *c, const t *t);" + '\nLOADER_SERVICE("t/2", t);': (
        6,
        "have the table 't'",
    ),
    'LOADER_SERVICE("t", t);': (4, "the service's id is 't'"),
    "LOADER_SERVICE(t, t);": (4, "LOADER_SERVICE is malformed"),
    'LOADER_SERVICE("t/1");': (4, 'LOADER_SERVICE("t/1");'),
    'LOADER_SERVICE("t/1", t)\nint f(loader_call *call);': (4, "LOADER_SERVICE("),
    # the contract's name
    "LOADER_CONTRACT(again, 1, 0);": (4, "a second LOADER_CONTRACT; the first is in line 2"),
    # C that is not C, or more than is understood
    "int f(loader_call *call, FILE *x);": (4, "'FILE' is not a type that is known here"),
    "int f(loader_call *call,\n nowhere_t x);": (5, "'nowhere_t' is not a type that is known here"),
    "nowhere_t f(loader_call *call);": (4, "'nowhere_t' is not a type that is known here"),
    "int f(loader_call *call, int a; int b);": (4, "a syntax error at ';'"),
    'int g(loader_call *call);\nint f(loader_call *call) __asm__("g");': (5, "a syntax error at '__asm__'"),
    "int f(loader_call *call;": (4, "a declaration that is not finished"),
    "int f(loader_call *call)": (4, "a declaration that is not finished"),
    "int f(loader_call *call); }": (4, "'}' closes nothing"),
    "\n@": (5, "'@' is not C"),
    "\n/* never closed": (5, "a comment is not closed"),
    "int lo\\\nng;": (4, "a backslash at the end of the line splits a word"),
    "#define M(x) int x\nint f(loader_call *call, M(a));": (5, "macro 'M' has parameters"),
    "LOADER_NONSENSE int f(loader_call *call);": (4, "LOADER_NONSENSE does not belong here"),
    "int f(loader_call *call, int x LOADER_BEGIN_C);": (4, "LOADER_BEGIN_C does not belong here"),
    # directives
    "#if FOO > 1\n#endif": (4, "the value of 'FOO' is not known"),
    "#if SIZE_MAX > 1\n#endif": (4, "the value of 'SIZE_MAX' is not known"),
    "#if 1 / 0\n#endif": (4, "a division by zero"),
    "#if 1 << 64\n#endif": (4, "a shift by less than 0 or more than 63 bits"),
    "#if 1 +\n#endif": (4, "it ends too early"),
    "#if (1\n#endif": (4, "a ')' is missing"),
    "#if 1 2\n#endif": (4, "'2' is not expected here"),
    "#if 1.5\n#endif": (4, "'1.5' is not an integer"),
    "#if 1 ? 2 : 3\n#endif": (4, "'?' is not expected here"),
    "#if __has_include(<x.h>)\n#endif": (4, "'(' is not expected here"),
    "#if defined\n#endif": (4, "defined wants a name"),
    "#ifdef\n#endif": (4, "#ifdef wants one name"),
    "\n#if 1\n#if 0\n#endif": (5, "#if without #endif"),
    "#else": (4, "#else without #if"),
    "#endif": (4, "#endif without #if"),
    "#if 0\n#else\n#else\n#endif": (6, "#else after #else"),
    "#if 0\n#else\n#elif 1\n#endif": (6, "#elif after #else"),
    "#error stop\\\n it, don't": (4, "#error stop it, don't"),
    "#line 7": (4, "#line is not supported"),
    "#define": (4, "#define wants a name"),
    "#define A 1\n#define A 2": (5, "A is defined anew, and differently"),
    "#define LOADER_EXPORT": (4, "LOADER_EXPORT belongs to loader/plugin.h"),
    "#undef LOADER_EXPORT": (4, "LOADER_EXPORT belongs to loader/plugin.h"),
    '#include "nowhere.h"': (4, '"nowhere.h" is not found'),
    "#include NOWHERE": (4, "#include wants a file name in quotes"),
    '#include "test.h"': (4, "includes nest deeper than 16"),
    "".join(f"#define A{i} A{i + 1} A{i + 1}\n" for i in range(40)) + "A0": (44, "more than 200000 tokens"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(read: Callable[..., Contract], tmp_path: Path, text: str) -> None:
    """What is not supported is refused with file, line and reason."""
    line, reason = REFUSED[text]
    with pytest.raises(ContractError) as caught:
        read(text + "\n")
    assert caught.value.found is not None
    assert caught.value.found.startswith(f"line {line}: ")
    assert reason in caught.value.found
    assert caught.value.path == str(tmp_path / "test.h")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("contract", "reason"),
    [
        ("LOADER_CONTRACT(1up, 1, 0);", "the contract's name is '1up'"),
        ("LOADER_CONTRACT(a-b, 1, 0);", "the contract's name is 'a-b'"),
        ("LOADER_CONTRACT(loader, 1, 0);", "the contract's name is 'loader'"),
        (f"LOADER_CONTRACT({'x' * 101}, 1, 0);", "the contract's name is"),
        ("LOADER_CONTRACT(test, 01, 0);", "the contract's major version is '01'"),
        ("LOADER_CONTRACT(test, 1u, 0);", "the contract's major version is '1u'"),
        ("LOADER_CONTRACT(test, -1, 0);", "the contract's major version is '-1'"),
        ("LOADER_CONTRACT(test, 1, 1.5);", "the contract's minor version is '1.5'"),
        ("LOADER_CONTRACT(test, 1, 1000000);", "the contract's minor version is '1000000'"),
        ("LOADER_CONTRACT(test, 1);", "LOADER_CONTRACT(test, 1);"),
        ("LOADER_CONTRACT(test, 1, );", "LOADER_CONTRACT(test, 1, );"),
        ("LOADER_CONTRACT;", "LOADER_CONTRACT;"),
    ],
)
def test_malformed_contract(read: Callable[..., Contract], contract: str, reason: str) -> None:
    """The contract's name and version must make a symbol that the handshake understands."""
    with pytest.raises(ContractError) as caught:
        read("", head=f'#include "loader/plugin.h"\n{contract}\nint f(loader_call *call);\n')
    assert caught.value.found is not None
    assert caught.value.found.startswith(f"line 2: {reason}")


def test_contract_versions_are_not_macros(read: Callable[..., Contract]) -> None:
    """A macro as a version is refused: C pastes its name, not its value, into the marker."""
    head = '#include "loader/plugin.h"\n#define MAJOR 1\nLOADER_CONTRACT(test, MAJOR, 0);\n'
    with pytest.raises(ContractError, match="line 3: the contract's major version is 'MAJOR'"):
        read("int f(loader_call *call);\n", head=head)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "it is not included"),
        ("LOADER_CONTRACT(test, 1, 0);\nint f(loader_call *call);\n", "it is not included"),
        ('#include "loader/plugin.h"\nint f(loader_call *call);\n', "no LOADER_CONTRACT"),
        ('#include "loader/plugin.h"\nLOADER_CONTRACT(test, 1, 0);\n', "no function"),
    ],
)
def test_lacking(read: Callable[..., Contract], text: str, found: str) -> None:
    """A header without plugin.h, without a name or without a function is no contract."""
    with pytest.raises(ContractError) as caught:
        read(text, head="")
    assert caught.value.found == found
    assert caught.value.expected is not None


def test_refusal_names_the_included_file(read: Callable[..., Contract], tmp_path: Path) -> None:
    """An error in an included file is reported with that file and its line."""
    with pytest.raises(ContractError) as caught:
        read('#include "more.h"\n', files={"more.h": "\n\nint f(loader_call *call, double x);\n"})
    assert caught.value.path == str(tmp_path / "more.h")
    assert caught.value.found == "line 3: parameter 'x' of 'f' is a double by value"
    assert caught.value.function == "f"
    assert caught.value.cure == "Pass it in a struct"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "no such file"),
        (b"int a;\n/* \xff */", "line 2: byte 10 is not UTF-8"),
        (b"int a;\n\n\0", "line 3: a NUL character"),
        (b" " * ((1 << 20) + 1), "more than 1048576 bytes"),
    ],
)
def test_unreadable(tmp_path: Path, content: bytes | None, found: str) -> None:
    """A file that is not there or is not text is refused with its name."""
    header = tmp_path / "test.h"
    if content is not None:
        header.write_bytes(content)
    with pytest.raises(ContractError) as caught:
        Contract.from_header(header)
    assert (caught.value.path, caught.value.found) == (str(header), found)


def test_folder(tmp_path: Path) -> None:
    """A folder is not a header."""
    with pytest.raises(ContractError, match="a folder"):
        Contract.from_header(tmp_path)


@pytest.mark.parametrize(
    "text", ["int f(loader_call *call, int %s);" % ("(" * 5000 + "x" + ")" * 5000), "#if " + "(" * 5000]
)
def test_deep_nesting(read: Callable[..., Contract], text: str) -> None:
    """Nesting beyond what the parser can hold is refused, not a crash."""
    with pytest.raises(ContractError):
        read(text + "\n")


def test_limits() -> None:
    """A function with as many parameters as the caller in C can pass is read; see also test_refused."""
    assert (MAX_PARAMETERS, MAX_SERVICE_PARAMETERS) == (8, 7)


def test_most_parameters(read: Callable[..., Contract]) -> None:
    """The limits are reached, not only guarded."""
    eight = ", ".join(f"int p{i}" for i in range(8))
    seven = ", ".join(f"int p{i}" for i in range(7))
    table = _TABLE % f"int (*f)(loader_call *call, const t *t, {seven}, double *out);"
    contract = read(f"int f(loader_call *call, {eight});\n{table}\n")
    assert len(contract.function("f").parameters) == 8
    assert len(contract.services[0].functions[0].parameters) == 7


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
    "double": (Kind.DOUBLE, 8, False),
    **{name: (Kind.INTEGER, size, signed) for name, (size, signed) in INTEGERS.items()},
}


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    structs=st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from(sorted(MEMBERS)), min_size=1, max_size=12)),
        min_size=20,
        max_size=40,
    )
)
def test_layouts(tmp_path: Path, structs: list[tuple[bool, list[str]]]) -> None:
    """Sizes, offsets and signs of members are what a C compiler says of the same header."""
    text = HEAD + "#include <stdbool.h>\n"
    for number, (sized, members) in enumerate(structs):
        body = "size_t size; " * sized + " ".join(f"{kind} m{i};" for i, kind in enumerate(members))
        text += f"typedef struct s{number} {{ {body} }} s{number};\n"
        text += f"int f{number}(loader_call *call, const s{number} *x);\n"
    (tmp_path / "layouts.h").write_text(text)
    checks = ""
    for (sized, members), struct in zip(
        structs, Contract.from_header(tmp_path / "layouts.h").structs, strict=True
    ):
        assert struct.sized == sized
        checks += f'_Static_assert(sizeof({struct.name}) == {struct.size}, "");\n'
        for field, written in zip(struct.fields, members, strict=True):
            assert (field.kind, field.size, field.signed) == MEMBERS[written]
            place = f"offsetof({struct.name}, {field.name}) == {field.offset}"
            width = f"sizeof((({struct.name} *)0)->{field.name}) == {field.size}"
            checks += f'_Static_assert({place} && {width}, "{struct.name}.{field.name}");\n'
            if field.kind is Kind.INTEGER:
                checks += f'_Static_assert((({written})-1 < 0) == {int(field.signed)}, "{written}");\n'
    compile_header(text + checks, tmp_path)


# ---- Whole contracts, written and read again --------------------------------------------------------------

_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).map(lambda name: f"{name}_x")
_DOCS = st.lists(
    st.from_regex(r"[A-Za-z0-9.,:'\"`][A-Za-z0-9.,:'\"` ]{0,20}[a-z.]", fullmatch=True), max_size=3
).map("\n".join)


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


def _parameters(structs: list[Struct], most: int) -> st.SearchStrategy[tuple[Parameter, ...]]:
    kinds = [
        st.just(Parameter("", Kind.TEXT)),
        st.just(Parameter("", Kind.BYTES)),
        st.sampled_from(sorted(set(INTEGERS.values()))).map(lambda of: Parameter("", Kind.INTEGER, *of)),
        *(st.just(Parameter("", Kind.STRUCT, struct=struct)) for struct in structs),
    ]
    unnamed = st.one_of(kinds)
    return st.lists(st.tuples(_NAMES, unnamed), max_size=most, unique_by=lambda pair: pair[0]).map(
        lambda pairs: tuple(Parameter(name, p.kind, p.size, p.signed, p.struct) for name, p in pairs)
    )


@st.composite
def _contracts(draw: st.DrawFn) -> Contract:
    names = draw(st.lists(_NAMES, max_size=3, unique=True))
    structs = [draw(_structs(name)) for name in names]
    parameters = _parameters(structs, MAX_PARAMETERS)
    functions = st.builds(
        Function,
        _NAMES.map("f_".__add__),
        parameters,
        st.booleans(),
        st.sampled_from([Kind.TEXT, Kind.BYTES]),
        doc=_DOCS,
    )
    results = st.sampled_from(
        [None, *(Parameter("out", kind, 8, kind is Kind.INTEGER) for kind in Kind if kind.value in _RESULTS)]
    )
    lent = st.builds(
        lambda name, given, result, doc: Function(name, given, False, result and result.kind, result, doc),
        _NAMES,
        _parameters(structs, MAX_SERVICE_PARAMETERS),
        results,
        _DOCS,
    )
    tables = st.lists(lent, min_size=1, max_size=4, unique_by=lambda function: function.name)
    services = tuple(
        Service(f"{name}.id/{number + 1}", f"t_{name}", tuple(draw(tables)))
        for number, name in enumerate(draw(st.lists(_NAMES, max_size=2, unique=True)))
    )
    made = draw(st.lists(functions, min_size=1, max_size=4, unique_by=lambda function: function.name))
    return Contract(draw(_NAMES), draw(st.integers(0, 99)), draw(st.integers(0, 99)), tuple(made), services)


_RESULTS = {"text": "loader_text", "bytes": "loader_bytes", "integer": "int64_t", "double": "double"}


def _integer(size: int, signed: bool) -> str:
    return f"{'' if signed else 'u'}int{size * 8}_t"


def _c_parameter(parameter: Parameter) -> str:
    if parameter.kind is Kind.INTEGER:
        return f"{_integer(parameter.size, parameter.signed)} {parameter.name}"
    written = parameter.struct.name if parameter.struct else f"loader_{parameter.kind.value}"
    return f"const {written} *{parameter.name}"


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
            plain = {Kind.TEXT: "loader_text", Kind.BYTES: "loader_bytes", Kind.DOUBLE: "double"}
            parts.append(f"    {plain.get(field.kind) or _integer(field.size, field.signed)} {field.name};")
        parts.append(f"}} {struct.name};")
    for function in contract.functions:
        parts += _c_doc(function.doc)
        flags = (
            "LOADER_GIVES_BYTES " * (function.gives is Kind.BYTES) + "LOADER_OPTIONAL " * function.optional
        )
        given = ", ".join(["loader_call *call", *map(_c_parameter, function.parameters)])
        parts.append(f"{flags}int {function.name}({given});")
    for service in contract.services:
        parts += [
            f"typedef struct {service.table} {service.table};",
            f"struct {service.table} {{",
            "size_t size;",
        ]
        for function in service.functions:
            parts += _c_doc(function.doc)
            given = ", ".join(
                ["loader_call *call", f"const {service.table} *self", *map(_c_parameter, function.parameters)]
            )
            if function.result:
                given += f", {_RESULTS[function.result.kind.value]} *{function.result.name}"
            parts.append(f"int (*{function.name})({given});")
        parts += ["};", f'LOADER_SERVICE("{service.id}", {service.table});']
    return "\n".join(parts) + "\n"


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
    code = [
        line if line[:1] in "#/ *" else line.replace(" ", spacing).replace(",", f"{spacing},")
        for line in lines
    ]
    spaced = Contract.from_header(_written(tmp_path, "\n".join(code)))
    assert [_bare(function) for function in spaced.functions] == [
        _bare(function) for function in contract.functions
    ]
    assert spaced.marker == contract.marker
    assert Contract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract


def _bare(function: Function) -> tuple[str, tuple[Parameter, ...], bool, Kind | None]:
    return function.name, function.parameters, function.optional, function.gives


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


# ---- Plain values -----------------------------------------------------------------------------------------


def test_values() -> None:
    """A contract pickles, is hashable, and comes back from JSON as it was; comments do not make it another."""
    contract = Contract.from_header(HTMLIZE)
    assert Contract.from_json(contract.to_json()) == contract
    assert Contract.from_json(contract.to_json()).digest == contract.digest
    assert pickle.loads(pickle.dumps(contract)) == contract
    assert len({contract, Contract.from_header(HTMLIZE)}) == 1


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
        ("functions.1.parameters.0.kind", "double"),
        ("functions.1.parameters.0.kind", "self"),
        ("functions.1.parameters.0.size", 4),
        ("functions.1.gives", "nope"),
        ("functions.1.optional", 1),
        ("functions", {}),
        ("services.0.functions.0.result.kind", "struct"),
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


# ---- The cache --------------------------------------------------------------------------------------------

_READ = """
import sys
import loader.contract
contract = loader.contract.Contract.from_header(sys.argv[1])
slow = [name for name in ("pycparser", "cffi.cparser", "loader.header.parse", "json") if name in sys.modules]
print(contract, *slow)
"""


def _read_elsewhere(header: Path, **environment: str) -> str:
    """Reads the header in a new process. Says the contract and which slow modules it took."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("NATIVE_", "XDG_"))}
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    run = subprocess.run(
        [sys.executable, "-c", _READ, str(header)],
        env={**known, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, with htmlize.h in it. Gives the one file in it."""
    if sys.platform == "win32":
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NATIVE_PLUGIN_LOADER_CACHE")
    Contract.from_header(HTMLIZE)
    (file,) = (tmp_path / "native-plugin-loader").iterdir()
    return file


def test_cached_contract_needs_no_parser(cached: Path) -> None:
    """A header that was read before is not parsed again, and the parser is not even imported."""
    cache = str(cached.parent.parent)
    assert _read_elsewhere(HTMLIZE, XDG_CACHE_HOME=cache, LOCALAPPDATA=cache) == "htmlize 1.0 json"
    off = {"NATIVE_PLUGIN_LOADER_CACHE": "off"}
    cold = _read_elsewhere(HTMLIZE, XDG_CACHE_HOME=cache, LOCALAPPDATA=cache, **off)
    assert "pycparser" in cold


def test_cached_contract_is_the_same(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cache gives equals what the header gives."""
    remembered = Contract.from_header(HTMLIZE)
    monkeypatch.setenv("NATIVE_PLUGIN_LOADER_CACHE", "off")
    read = Contract.from_header(HTMLIZE)
    assert remembered == read
    assert remembered.digest == read.digest is not None
    assert cached.name.startswith(read.digest)


def _plant(cached: Path) -> None:
    """Makes the cache say, in good form, something else than the header: minor version 7."""
    from hashlib import sha256

    body = cached.read_bytes()[65:].replace(b'"minor":0', b'"minor":7')
    cached.write_bytes(sha256(body).hexdigest().encode() + b"\n" + body)


def test_cache_is_believed(cached: Path) -> None:
    """A well-formed file of ours is taken: without this, the tests below would show nothing."""
    _plant(cached)
    assert Contract.from_header(HTMLIZE).version == "1.7"


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "flipped", "foreign", "other digest", "no json", "folder"]
)
def test_damaged_cache(cached: Path, damage: str) -> None:
    """A damaged file in the cache is as good as none, and is replaced."""
    from hashlib import sha256

    _plant(cached)
    content = cached.read_bytes()
    body = {
        "foreign": b'{"name":"x"}',
        "other digest": content[65:].replace(b'"digest":"', b'"digest":"0'),
        "no json": b"\xff{",
    }.get(damage)
    if body is not None:
        content = sha256(body).hexdigest().encode() + b"\n" + body
    cut = {"empty": 0, "cut": len(content) - 5}.get(damage, len(content))
    cached.write_bytes(content[:cut])
    if damage == "flipped":
        cached.write_bytes(content.replace(b'"offset":16', b'"offset":24', 1))
    if damage == "folder":
        cached.unlink()
        cached.mkdir()
    assert Contract.from_header(HTMLIZE).version == "1.0"
    if damage != "folder":
        assert b'"minor":0' in cached.read_bytes()
    assert [file.name for file in cached.parent.iterdir()] == [cached.name]  # nothing half written is left


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_cache_that_others_can_write(cached: Path, mode: int) -> None:
    """A file that somebody else could have written is not believed."""
    _plant(cached)
    cached.chmod(mode)
    assert Contract.from_header(HTMLIZE).version == "1.0"


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="needs root, to give files away")
def test_cache_of_somebody_else(cached: Path) -> None:
    """A file of another user is not believed."""
    _plant(cached)
    os.chown(cached, 12345, -1)
    assert Contract.from_header(HTMLIZE).version == "1.0"


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_cache_through_a_link(cached: Path, tmp_path: Path) -> None:
    """A symbolic link in the cache is not followed."""
    _plant(cached)
    cached.rename(tmp_path / "elsewhere")
    cached.symlink_to(tmp_path / "elsewhere")
    assert Contract.from_header(HTMLIZE).version == "1.0"


def test_changed_include_is_noticed(cached: Path, tmp_path: Path) -> None:
    """The digest covers what a header includes, also a file that was not there before."""
    header = tmp_path / "test.h"
    header.write_text(HEAD + '#include "more.h"\n#include <other.h>\n')
    (tmp_path / "more.h").write_text("int f(loader_call *call);\n")
    (tmp_path / "lent").mkdir()
    first = Contract.from_header(header, include=[tmp_path / "lent"])
    (tmp_path / "more.h").write_text("int f(loader_call *call, int x);\n")
    second = Contract.from_header(header, include=[tmp_path / "lent"])
    (tmp_path / "lent" / "other.h").write_text("int g(loader_call *call);\n")
    third = Contract.from_header(header, include=[tmp_path / "lent"])
    assert [len(contract.functions) for contract in (first, second, third)] == [2, 2, 3]
    assert len(second.function("f").parameters) == 1
    assert len({first.digest, second.digest, third.digest}) == 3
    assert len(list(cached.parent.iterdir())) == 4


@pytest.mark.parametrize("where", ["relative/path", "", "file"])
def test_cache_that_cannot_be_used(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Without a folder to write in, everything works and nothing is written."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file") if where == "file" else where)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "file"))
    before = sorted(tmp_path.rglob("*"))
    assert Contract.from_header(HTMLIZE).version == "1.0"
    assert sorted(tmp_path.rglob("*")) == before
    assert cached.exists()
