"""What a contract header may not declare: each is refused with file, line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from headers import check_refused, read_header

import loader
from loader.contract import MAX_PARAMETERS
from loader.contract.header.misleading import RESERVED
from loader.errors import ContractError

_USE = "int f(loader_call *call, const s *x);"
_TABLE = 'typedef struct t t; struct t { size_t size; %s };\nLOADER_SERVICE("t/1", t);'

REFUSED = {
    # structs
    "typedef struct s {\n" + "".join(f"int64_t a{number};\n" for number in range(513)) + "} s;\n" + _USE: (
        4 + 513,
        "'s' is too large",
    ),
    # parameters
    "int f(loader_call *call,\n  int a,\n  const double *x);": (6, "is a pointer of another kind (const double *)"),
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
    "int f(loader_call *call,\n int,\n int b);": (5, "parameter 1 of 'f' has no name"),
    "int f(loader_call *call, int a, int a);": (4, "'f' has two parameters 'a'"),
    "int f(loader_call *call, int from);": (4, "parameter 'from' of 'f' is a key word of Python"),
    "int f(loader_call *call, ...);": (4, "'f' is variadic"),
    # classes and interfaces
    "LOADER_CLASS(c);\nint c_new(loader_call *call, LOADER_OUT c **x);": (4, "no function that frees its instances"),
    "LOADER_CLASS(c);\nvoid c_free(c *x);": (4, "no function gives an instance of class 'c'"),
    "LOADER_CLASS(c);\nLOADER_CLASS(c);": (5, "a second LOADER_CLASS(c)"),
    "LOADER_CLASS(c);\nint c_free(loader_call *call, c *x);": (5, "'c_free' is to free instances, and is declared"),
    "LOADER_CLASS(c);\nvoid c_free(const c *x);": (5, "'c_free' is to free instances, and is declared otherwise"),
    "LOADER_CLASS(c);\nLOADER_GIVES_BYTES void c_free(c *x);": (5, "LOADER_GIVES_BYTES before 'c_free'"),
    "LOADER_CLASS(c);\nint c_new(loader_call *call, int a);": (5, "'c_new' does not give an instance alone"),
    "LOADER_CLASS(c);\nint c_new(loader_call *call, LOADER_OUT c **x, LOADER_OUT int *y);": (5, "an instance alone"),
    "LOADER_CLASS(c);\nint c_close(loader_call *call, c *x);": (5, "a method 'close', which instances of c have"),
    "LOADER_CLASS(c);\nint c_from(loader_call *call, c *x);": (5, "a method 'from', which is no name of one"),
    "LOADER_CLASS(c);\nint c__x(loader_call *call, c *x);": (5, "a method '_x', which is no name of one"),
    "LOADER_CLASS(c);\nint c_next(loader_call *call, c *x, int a);": (5, "takes more than an instance"),
    "LOADER_CLASS(c);\nint f(loader_call *call, c x);": (5, "is a struct c by value"),
    "LOADER_CLASS(c);\nint f(loader_call *call, volatile c *x);": (5, "volatile"),
    "LOADER_CLASS(c);\nint f(loader_call *call, c **x);": (5, "is a pointer to a pointer"),
    "LOADER_CLASS(c);\ntypedef struct s { c *x; } s;\n" + _USE: (5, "member 'x' of 's' is"),
    _TABLE % "int (*f)(loader_call *call, const t *t, const c *x);" + "\nLOADER_CLASS(c);": (4, "'c' is not a type"),
    "LOADER_CLASS(c);\n" + _TABLE % "int (*f)(loader_call *call, const t *t, const c *x);": (
        5,
        "'x' of 't.f' is a const struct c *, which tables do not pass",
    ),
    "LOADER_CLASS(path);": (4, "class 'path' is an attribute that every plugin has"),
    "LOADER_CLASS(import);": (4, "class 'import' is a key word of Python"),
    "LOADER_CLASS(c) int hidden(loader_call *call);": (4, "LOADER_CLASS is malformed"),
    "struct s { LOADER_CLASS(c); };": (4, "LOADER_CLASS does not belong here"),
    "LOADER_CLASS(c);\nint c_new(loader_call *call, c *x);": (5, "'c_new' does not give an instance alone"),
    _TABLE % "int (*import)(loader_call *call, const t *t);": (4, "'t.import' has a key word of Python as its name"),
    "LOADER_NEEDS();": (4, "LOADER_NEEDS()"),
    "LOADER_NEEDS(minor);": (4, "LOADER_NEEDS is malformed"),
    "LOADER_NEEDS(-1);": (4, "LOADER_NEEDS is malformed"),
    "LOADER_NEEDS(3) int hidden(loader_call *call);": (4, "LOADER_NEEDS is malformed"),
    "LOADER_NEEDS;": (4, "LOADER_NEEDS;"),
    "LOADER_NEEDS(3);\nLOADER_NEEDS(4);": (5, "LOADER_NEEDS(4): all plugins of this contract need a newer loader"),
    "LOADER_NEEDS(999999);": (4, "need a newer loader"),
    "int f(loader_call *call, enum { A = 1, B = 2 } x);": (4, "an enum without a name"),
    "typedef struct s { enum { A = 1, B = 2 } x; } s;\n" + _USE: (4, "an enum without a name"),
    "LOADER_CLASS(int64_t);": (4, "type 'int64_t' is defined anew"),
    "LOADER_INTERFACE(nothing);": (4, "the table 'nothing' is not a struct that is defined here"),
    "typedef struct t { int a; } t;\nLOADER_INTERFACE(t);": (4, "the table 't' does not begin with its size"),
    "typedef struct t { size_t size; } t;\nLOADER_INTERFACE(t);": (5, "the table 't' has no function"),
    "typedef struct t { size_t size; int a; } t;\nLOADER_INTERFACE(t);": (4, "member 'a' of the table 't' is an int"),
    "typedef struct t t; struct t { size_t size; int (*f)(loader_call *c, const t *t, const t *u); };\n"
    "LOADER_INTERFACE(t);": (4, "'u' of 't.f' is a const struct t *, which tables do not pass"),
    "typedef struct t t; struct t { size_t size; int (*f)(loader_call *c, const t *t); };\nLOADER_INTERFACE(t);\n"
    "int f(loader_call *call, t *t);": (6, "is a non-const pointer (struct t *)"),
    "typedef struct t t; struct t { size_t size; int (*f)(loader_call *c, const t *t); };\nLOADER_INTERFACE(t);\n"
    "int f(loader_call *call, LOADER_OUT t *t);": (6, "LOADER_OUT stands before 't' of 'f'"),
    "typedef struct t t; struct t { size_t size; "
    + " ".join(f"int (*f{i})(loader_call *c, const t *t);" for i in range(33))
    + " };\nLOADER_INTERFACE(t);": (5, "interface 't' has 33 functions"),
    # what looks like something else
    "int name(loader_call *call);": (4, "'name' is an attribute that every plugin has"),
    "int _function(loader_call *call);": (4, "'_function' is an attribute that every plugin has"),
    "int import(loader_call *call);": (4, "'import' is a key word of Python"),
    "int f(loader_call *call, const loader_text *words,\n size_t n);": (5, "in 'f' 'words' is one, however many 'n'"),
    "int f(loader_call *call, const loader_bytes *data,\n size_t n);": (5, "in 'f' 'data' is one, however many 'n'"),
    "typedef struct s { int a; } s;\nint f(loader_call *call, const s *x,\n size_t n);": (6, "'x' is one, however"),
    "int f(loader_call *call, bool x);": (4, "bool without <stdbool.h>"),
    "typedef struct s {\n bool a; } s;\n" + _USE: (5, "bool without <stdbool.h>"),
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
    "typedef struct s {\n int : 3;\n} s;\n" + _USE: (5, "a member without a name of 's' is a bit-field"),
    "typedef struct s {\n int a[]; } s;\n" + _USE: (5, "member 'a' of 's' is an array of int"),
    "typedef struct s {\n int a[0]; } s;\n" + _USE: (5, "member 'a' of 's' is an array of int"),
    "typedef struct s {\n int a[2][3]; } s;\n" + _USE: (5, "member 'a' of 's' is an array of int"),
    "typedef struct s {\n int a[1025]; } s;\n" + _USE: (5, "'s' is too large"),
    "typedef struct s {\n int a[4097]; } s;\n" + _USE: (5, "member 'a' of 's' is an array of int"),
    "typedef struct s {\n char a[8]; } s;\n" + _USE: (
        5,
        "member 'a' of 's' is an array of char, which would be text",
    ),
    "typedef struct s {\n int class; } s;\n" + _USE: (5, "member 'class' of 's' is a key word of Python"),
    "typedef struct s s; struct s { int a;\n s b; };\n" + _USE: (5, "'s' holds itself"),
    # LOADER_OUT
    "int f(loader_call *call,\n LOADER_OUT int a);": (5, "LOADER_OUT stands before 'a' of 'f', which is an int"),
    "int f(loader_call *call,\n LOADER_OUT const int *a);": (5, "LOADER_OUT stands before 'a' of 'f'"),
    "int f(loader_call *call,\n LOADER_OUT loader_texts *a);": (5, "LOADER_OUT stands before 'a' of 'f'"),
    "int f(loader_call *call,\n LOADER_OUT void *a);": (5, "LOADER_OUT stands before 'a' of 'f'"),
    "LOADER_OUT int f(loader_call *call);": (4, "LOADER_OUT does not belong here"),
    "int f(loader_call *call, auto int a);": (4, "'auto' does not belong here"),
    "int f(loader_call *call, int *a);": (4, "parameter 'a' of 'f' is a pointer of another kind (int *)"),
    "int f(loader_call *call, loader_texts *a);": (4, "parameter 'a' of 'f' is a non-const pointer (loader_texts *)"),
    "LOADER_GIVES_TEXT LOADER_GIVES_BYTES int f(loader_call *call);": (4, "'f' gives text and bytes"),
    "LOADER_GIVES_TEXT int f(loader_call *call,\n LOADER_OUT int *text);": (5, "a result of 'f' is named 'text'"),
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
    "typedef struct s {\n long double a; } s;\n" + _USE: (5, "member 'a' of 's' is a long double"),
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
    % "int (*f)(loader_call *c, const t *t, int a, int b, int d, int e, int g, int h,\nint i, int j, int k);": (
        5,
        "9 parameters",
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
    'LOADER_SERVICE("t/1", t)\nint f(loader_call *call);': (4, "LOADER_SERVICE is malformed"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(tmp_path: Path, text: str) -> None:
    """What is not supported is refused with file, line and reason."""
    check_refused(tmp_path, text, *REFUSED[text])


def test_limits() -> None:
    """A function with as many parameters as the caller in C can pass is read; see also test_refused."""
    assert MAX_PARAMETERS == 8


def test_most_parameters(tmp_path: Path) -> None:
    """The limits are reached, not only guarded."""
    eight = ", ".join(f"int p{i}" for i in range(8))
    seven = ", ".join(f"int p{i}" for i in range(7))
    table = _TABLE % f"int (*f)(loader_call *call, const t *t, {seven}, LOADER_OUT double *out);"
    contract = read_header(tmp_path, f"int f(loader_call *call, {eight});\n{table}\n")
    assert len(contract.function("f").parameters) == 8
    assert len(contract.services[0].functions[0].parameters) == 7
    assert contract.services[0].functions[0].results[0].position == 7


def test_reserved_names() -> None:
    """They are what a Plugin has, all of it: a function of such a name would be hidden."""
    own = {*vars(loader.Plugin), *loader.Plugin.__annotations__}
    assert {name for name in own if not name.startswith("__")} == RESERVED


def test_what_was_meant(tmp_path: Path) -> None:
    """The cure for a pointer and a count is the list of that type."""
    for given, cure in (
        ("const loader_text *words, size_t n", "Take const loader_texts *; or a number of its own as uint64_t"),
        ("const s *words, size_t n", "Take const s_list * (LOADER_LIST); or a number of its own as uint64_t"),
    ):
        with pytest.raises(ContractError) as caught:
            read_header(tmp_path, f"typedef struct s {{ int a; }} s;\nint f(loader_call *call, {given});\n")
        assert caught.value.cure == cure
    read_header(tmp_path, "int f(loader_call *call, const loader_text *text, uint64_t times, size_t n);\n")


_STRUCT = "typedef struct t t;\n"
_CLASS = "If plugins make instances of it, declare it by LOADER_CLASS(t);"
CURES = {
    "int f(loader_call *call, LOADER_OUT t **x);": _CLASS,
    "int f(loader_call *call, const t *x);": _CLASS,
    _STRUCT + "int f(loader_call *call, LOADER_OUT t **x);": _CLASS,
    _STRUCT + "int f(loader_call *call, t *x);": _CLASS,
    _STRUCT + "int f(loader_call *call, const t *x);": _CLASS,
    "struct t;\nint f(loader_call *call, LOADER_OUT struct t **x);": _CLASS,
    "typedef struct t { size_t size; int (*f)(loader_call *call, const struct t *t); } t;\n"
    "int f(loader_call *call, const t *x);": "begins with size_t size: LOADER_INTERFACE(t); behind it",
    "int f(loader_call *call, int (*g)(double));": "Take a struct of functions (LOADER_INTERFACE), or lend them",
    "int f(loader_call *call, const double *x);": "Pass const loader_f64s *, with the length in it",
    "int f(loader_call *call, const float *x, size_t n);": "Pass const loader_f32s *, with the length in it",
    "int f(loader_call *call, const int x[3]);": "Pass const loader_i32s *, with the length in it",
    "int f(loader_call *call, const uint8_t *x);": "Pass const loader_bytes * or const loader_u8s *, with the",
    "int f(loader_call *call, int64_t *x);": "if it is a result, or pass loader_i64s * if it is an array changed in",
    "int f(loader_call *call, const void *x);": "Pass const loader_bytes *",
    "int f(loader_call *call, const char *x);": "Pass const loader_text *",
    "int f(loader_call *call, const char **x);": "Pass const loader_texts *",
    "int f(loader_call *call, LOADER_OUT double **x);": "Write LOADER_OUT loader_f64s *, whose memory is of",
    "int f(loader_call *call, LOADER_OUT char **x);": "Write LOADER_OUT loader_text *, whose memory is of",
    "int f(loader_call *call, LOADER_OUT void *x);": "Write LOADER_OUT loader_bytes *",
    "int f(loader_call *call, LOADER_OUT double x);": "Take a pointer: LOADER_OUT double *",
    "int f(loader_call *call, LOADER_OUT const double *x);": "Take const away",
    "typedef struct s { const char *a; } s;\n" + _USE: "Write loader_text",
    "typedef struct s { const double *a; } s;\n" + _USE: "of fixed length, or pass const loader_f64s * beside",
    "typedef struct s { loader_f64s a; } s;\n" + _USE: "Pass it as a parameter of its own",
    "int f(loader_call *call, bool x);": "Write #include <stdbool.h> above",
}


@pytest.mark.parametrize("text", CURES)
def test_what_to_write_instead(tmp_path: Path, text: str) -> None:
    """The cure names it where it is known."""
    with pytest.raises(ContractError) as caught:
        read_header(tmp_path, text + "\n")
    assert CURES[text] in (caught.value.cure or "")


@pytest.mark.parametrize("start", [b"\x7fELF\2\1", b"MZ\x90\0", b"\xcf\xfa\xed\xfe", b"!<arch>\n"])
def test_a_plugin_in_the_place_of_its_header(tmp_path: Path, start: bytes) -> None:
    """Is told as what it is, with a header that may be meant."""
    plugin = tmp_path / "gauge.so"
    plugin.write_bytes(start + bytes(99))
    with pytest.raises(ContractError) as caught:
        loader.Contract.from_header(plugin)
    assert (caught.value.found, caught.value.path) == ("a compiled file, which is no header", str(plugin))
    assert caught.value.cure == "Name the C header that it was compiled with"
    (tmp_path / "gauge.h").touch()
    with pytest.raises(ContractError, match=r"compiled with\. Did you mean gauge\.h\?"):
        loader.Contract.from_header(plugin)
