"""loader/contract/fingerprint.py: all that a header says to both sides, and nothing else, in one number."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from headers import HTMLIZE, read_header

from loader.contract import Contract
from loader.contract.fingerprint import Parts, canonical_text
from loader.errors import ContractError

HEADER = """\
#include <stdbool.h>
typedef enum mode { FAST = 0, BEST = 1 } mode;
typedef struct point { double x, y; } point;
typedef struct stats { size_t size; double mean; float part; uint16_t counts[4]; point peak; mode how;
                       bool fresh; } stats;
/* Scales. */
LOADER_EXPORT int scale(loader_call *call, double value, float factor, LOADER_OUT double *scaled);
LOADER_EXPORT int gain(loader_call *call, loader_f32s *samples, const loader_u8s *mask, mode how);
LOADER_OPTIONAL int divide(loader_call *call, int64_t a, LOADER_OUT int64_t *quotient, LOADER_OUT int32_t *rest);
LOADER_GIVES_BYTES LOADER_EXPORT int pack(loader_call *call, const loader_texts *words, const stats *about);
LOADER_LIST(point);
LOADER_EXPORT int blur(loader_call *call, const point_list *where, point_list *moved, const loader_tensor *image,
                       LOADER_OUT point_list *found);
typedef struct desk desk;
struct desk {
    size_t size;
    int (*left)(loader_call *call, const desk *self, const loader_text *what, LOADER_OUT int64_t *left);
    int (*note)(loader_call *call, const desk *self, uint8_t flag);
};
LOADER_SERVICE("test.desk/1", desk);
"""
TEXT = """\
declarations 1
function name=fine
function gives=nothing name=scale
 parameters kind=double name=value
 parameters kind=float name=factor size=4
 results kind=double name=scaled position=2
function name=gain
 parameters element=f32 kind=numbers name=samples size=4 writable=yes
 parameters element=u8 kind=numbers name=mask size=1
 parameters enum=mode kind=integer name=how signed=yes size=4 values=FAST:0,BEST:1
function gives=nothing name=divide optional=yes
 parameters kind=integer name=a signed=yes
 results kind=integer name=quotient position=1 signed=yes
 results kind=integer name=rest position=2 signed=yes size=4
function gives=bytes name=pack
 parameters kind=texts name=words
 parameters kind=struct name=about struct=stats
function gives=nothing name=blur
 parameters kind=list name=where struct=point
 parameters kind=list name=moved struct=point writable=yes
 parameters kind=tensor name=image
 results kind=list name=found position=3 struct=point
struct name=point size=16 sized=no
 fields kind=double name=x offset=0 size=8
 fields kind=double name=y offset=8 size=8
struct name=stats size=56 sized=yes
 fields kind=double name=mean offset=8 size=8
"""


def test_the_text_and_the_number_stay(tmp_path: Path) -> None:
    """Stamps in headers that were shipped are of this very text: who changes it makes all of them wrong."""
    made = read_header(tmp_path, HEADER)
    text = canonical_text(Parts(made.functions, made.structs, made.services, made.interfaces, made.classes))
    assert text.startswith(TEXT)
    assert made.fingerprint == "c85e2fb8e218ef46"


SAME = {
    "a comment": ("/* Scales. */", "/* Something else. */"),
    "no comment": ("/* Scales. */\n", ""),
    "line ends": ("\n", "\r\n"),
    "blanks": ("int64_t a,", "int64_t     a  ,\n"),
    "another spelling of a type": ("int64_t a", "signed long long int a"),
    "another place of const": ("const stats *about", "stats const *about"),
    "a type that no function uses": ("/* Scales. */", "typedef struct unused { int32_t a; } unused;"),
    "a constant": ("/* Scales. */", "#define LIMIT 7\nenum { MOST = 9 };"),
    "a static function": ("/* Scales. */", "static inline int two(void) { return 2; }"),
    "an attribute": ("int scale(", "__attribute__((nonnull)) int scale("),
    "a struct tag": ("typedef struct point {", "typedef struct point_tag {"),
    "the size of a constant expression": ("counts[4]", "counts[2 + 2]"),
}

OTHER = {
    "kind of a parameter": ("double value", "float value"),
    "size of an integer": ("int64_t a", "int32_t a"),
    "sign of an integer": ("int64_t a", "uint64_t a"),
    "name of a parameter": ("double value", "double amount"),
    "two parameters change places": ("double value, float factor", "float factor, double value"),
    "two of one type change places": ("point { double x, y; }", "point { double y, x; }"),
    "one parameter more": ("double value,", "double value, double more,"),
    "a result becomes a parameter": ("LOADER_OUT int64_t *quotient", "int64_t quotient"),
    "a result in another place": (
        "int64_t a, LOADER_OUT int64_t *quotient",
        "LOADER_OUT int64_t *quotient, int64_t a",
    ),
    "size of a result": ("LOADER_OUT int32_t *rest", "LOADER_OUT int16_t *rest"),
    "changed in place or not": ("loader_f32s *samples", "const loader_f32s *samples"),
    "element of an array": ("const loader_u8s *mask", "const loader_i8s *mask"),
    "optional": ("LOADER_OPTIONAL", "LOADER_EXPORT"),
    "what is written": ("LOADER_GIVES_BYTES ", ""),
    "name of a function": ("int pack(", "int parcel("),
    "a function more": ("/* Scales. */", "LOADER_OPTIONAL int more(loader_call *call);"),
    "a function less": (
        "LOADER_EXPORT int gain(loader_call *call, loader_f32s *samples, const loader_u8s *mask, mode how);\n",
        "",
    ),
    "member's name": ("double mean", "double middle"),
    "member's kind": ("float part", "uint32_t part"),
    "two members change places": ("double mean; float part;", "float part; double mean;"),
    "length of an array": ("counts[4]", "counts[3]"),
    "no array": ("counts[4]", "counts"),
    "padding only": ("float part; uint16_t counts[4];", "uint16_t counts[4]; float part;"),
    "begins with its size": ("stats { size_t size;", "stats { uint64_t length;"),
    "a nested struct": ("double x, y;", "double x, y, z;"),
    "value of an enum": ("BEST = 1", "BEST = 2"),
    "name of an enum's value": ("BEST = 1", "FINEST = 1"),
    "a value more": ("BEST = 1", "BEST = 1, MIDDLE"),
    "bool or byte": ("bool fresh", "uint8_t fresh"),
    "enum or integer": ("mode how);", "int how);"),
    "a list or one": ("const point_list *where", "const point *where"),
    "a list in place or not": ("const point_list *where", "point_list *where"),
    "a tensor in place or not": ("const loader_tensor *image", "loader_tensor *image"),
    "a list that is a result": ("LOADER_OUT point_list *found", "point_list *found"),
    "id of a service": ("test.desk/1", "test.desk/2"),
    "function of a table": ("(*note)", "(*remark)"),
    "parameter of a service": ("uint8_t flag", "int8_t flag"),
    "result of a service": ("LOADER_OUT int64_t *left", "LOADER_OUT double *left"),
    "end of a table": ("uint8_t flag);", "uint8_t flag);\n    int (*more)(loader_call *call, const desk *self);"),
}


@pytest.mark.parametrize("case", SAME)
def test_what_is_not_said_to_both_sides_is_left_out(tmp_path: Path, case: str) -> None:
    """Comments, blanks, spelling, and what no function takes or gives change nothing."""
    plain = read_header(tmp_path, HEADER)
    assert SAME[case][0] in HEADER
    assert read_header(tmp_path, HEADER.replace(*SAME[case])).fingerprint == plain.fingerprint


@pytest.mark.parametrize("case", OTHER)
def test_all_that_is_said_is_in_it(tmp_path: Path, case: str) -> None:
    """One change, however small, of what one side writes and the other reads makes another number."""
    plain = read_header(tmp_path, HEADER)
    assert HEADER.count(OTHER[case][0]) == 1
    assert read_header(tmp_path, HEADER.replace(*OTHER[case])).fingerprint != plain.fingerprint


def test_functions_in_another_order_are_another_header(tmp_path: Path) -> None:
    """The order is the header's."""
    both = ["int a(loader_call *call);\n", "int b(loader_call *call);\n"]
    assert read_header(tmp_path, "".join(both)).fingerprint != read_header(tmp_path, "".join(both[::-1])).fingerprint


def test_name_and_version_are_not_in_it(tmp_path: Path) -> None:
    """They stand beside it, in the marker: the same declarations have one number in each version."""
    head = '#include "loader/plugin.h"\nLOADER_CONTRACT({}, {}, {});\nint fine(loader_call *call);\n'
    found = {
        read_header(tmp_path, "", head=head.format(*each)).fingerprint
        for each in (("test", 1, 0), ("test", 1, 1), ("test", 2, 0), ("other", 1, 0))
    }
    assert len(found) == 1


def test_the_same_in_every_process(run_python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """No order of sets or dicts gets in."""
    code = "import sys\nfrom loader.contract import Contract\nprint(Contract.from_header(sys.argv[1]).fingerprint)\n"
    found = {
        run_python(code, HTMLIZE, PYTHONHASHSEED=seed, NATIVE_PLUGIN_LOADER_CACHE="off").stdout.strip()
        for seed in ("0", "1", "4711")
    }
    assert found == {Contract.from_header(HTMLIZE).fingerprint}


def test_it_is_not_made_again_for_what_is_cached_or_ships(
    run_python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, build: Callable[..., Path]
) -> None:
    """The contract that ships, and one that was read before, load stamped plugins without hashing declarations."""
    source = tmp_path / "plugin.c"
    source.write_text(
        '#include "htmlize/htmlize.h"\nint hooks(loader_call *call)\n{\n    (void)call;\n    return LOADER_OK;\n}\n'
    )
    code = (
        "import sys, loader\nfrom loader.htmlize import HTMLIZE\n"
        "contract = HTMLIZE if sys.argv[1] == 'ships' else loader.Contract.from_header(sys.argv[1])\n"
        "loader.load(sys.argv[2], contract=contract)\n"
        "assert contract.fingerprint\n"
        "print('loader.contract.fingerprint' in sys.modules)\n"
    )
    plugin, cache = build(source), str(tmp_path / "cache")
    (tmp_path / "cache").mkdir()

    def hashed(contract: object) -> bool:
        done = run_python(code, str(contract), plugin, XDG_CACHE_HOME=cache, NATIVE_PLUGIN_LOADER_CACHE="on")
        return done.stdout == "True\n"

    assert not hashed("ships")
    assert hashed(HTMLIZE)
    assert not hashed(HTMLIZE)


def test_a_changed_contract_has_another(tmp_path: Path) -> None:
    """What dataclasses.replace makes has its own fingerprint, and so has what was made by hand."""
    made = read_header(tmp_path, HEADER.replace("bool fresh", "uint8_t fresh"))
    fewer = dataclasses.replace(made, functions=made.functions[:1], services=())
    assert fewer.fingerprint == read_header(tmp_path, "").fingerprint != made.fingerprint
    assert dataclasses.replace(made, minor=3).fingerprint == made.fingerprint


@pytest.mark.parametrize("wrong", ["", "0123", "0123456789ABCDEF", "0123456789abcdeg", "0x0123456789abcd", 7, None])
def test_values_with_a_malformed_fingerprint_are_no_contract(tmp_path: Path, wrong: object) -> None:
    """What comes from JSON or the cache is checked."""
    values = read_header(tmp_path, "").to_dict()
    with pytest.raises(ContractError, match="not a contract's"):
        Contract.from_dict({**values, "fingerprint": wrong})
    for stamps in ([[1, 0, wrong]], [[1, 0]], [[1, -1, values["fingerprint"]]], [wrong], wrong):
        with pytest.raises(ContractError, match="not a contract's"):
            Contract.from_dict({**values, "stamps": stamps})


def test_what_plugins_need_of_the_loader_is_not_in_it(tmp_path: Path) -> None:
    """Headers that say LOADER_NEEDS were stamped before a contract knew of it; and it changes no call."""
    made = read_header(tmp_path, HEADER + "LOADER_NEEDS(3);\n")
    assert made.needs == 3
    assert made.fingerprint == read_header(tmp_path, HEADER).fingerprint


def test_values_of_before_there_were_fingerprints_are_a_contract(tmp_path: Path) -> None:
    """JSON that somebody kept is read as ever."""
    made = read_header(tmp_path, "")
    values = made.to_dict()
    del values["fingerprint"], values["stamps"]
    old = Contract.from_dict(values)
    assert (old, old.fingerprint, old.stamps, old.stamped) == (made, made.fingerprint, (), False)
