"""LOADER_FINGERPRINT in a header: what is understood, what is refused, a header that changed under its version."""

from __future__ import annotations

from pathlib import Path

import pytest
from headers import HEAD, compile_header, read_header

from loader.contract import Contract
from loader.errors import ContractError

FINE = "int fine(loader_call *call);\n"
ZERO = "0x" + "0" * 16


def head(*stamps: str, version: str = "1, 0") -> str:
    """A header's beginning; a stamp is "name, major, minor, number", the number "own" being the right one."""
    lines = ['#include "loader/plugin.h"', f"LOADER_CONTRACT(test, {version});"]
    return "\n".join([*lines, *(f"LOADER_FINGERPRINT({each});" for each in stamps), FINE])


@pytest.fixture
def own(tmp_path: Path) -> str:
    """The fingerprint of a header with the function fine alone."""
    return "0x" + read_header(tmp_path, "").fingerprint


def test_a_stamp_that_fits_is_known(tmp_path: Path, own: str) -> None:
    """A stamped header says so, and is what it was without."""
    plain = read_header(tmp_path, "")
    made = read_header(tmp_path, "", head=head(f"test, 1, 0, {own}"))
    assert (made, made.fingerprint, made.stamps) == (plain, plain.fingerprint, ((1, 0, own[2:]),))
    assert made.stamped
    assert not plain.stamped
    assert Contract.from_json(made.to_json()).stamps == made.stamps


def test_earlier_versions_are_remembered(tmp_path: Path, own: str) -> None:
    """Lines of earlier minors say what these were; lines of earlier majors may stay."""
    stamps = (f"test, 0, 9, {ZERO}", "test, 1, 0, 0x00000000000000aa", f"test, 1, 2, {own}")
    made = read_header(tmp_path, "", head=head(*stamps, version="1, 2"))
    assert made.stamp(1, 0) == "00000000000000aa"
    assert made.stamp(1, 2) == made.fingerprint
    assert made.stamp(1, 1) is None
    assert made.stamp(0, 9) == "0" * 16
    compile_header(head(*stamps, version="1, 2"), tmp_path)


def test_a_new_version_need_not_be_stamped(tmp_path: Path, own: str) -> None:
    """After the minor was raised, and before it is stamped, the header is as one that never was."""
    made = read_header(tmp_path, "int more(loader_call *call);\n", head=head(f"test, 1, 0, {own}", version="1, 1"))
    assert not made.stamped
    assert made.stamp(1, 0) == own[2:]


def test_a_header_that_changed_under_its_version_is_refused(tmp_path: Path, own: str) -> None:
    """The error names both fingerprints, the line, and both ways out."""
    with pytest.raises(ContractError) as caught:
        read_header(tmp_path, "int more(loader_call *call);\n", head=head(f"test, 1, 0, {own}"))
    error = caught.value
    assert error.path == str(tmp_path / "test.h")
    assert own in (error.expected or "")
    assert "line 3" in (error.expected or "")
    assert (error.found or "").startswith("0x")
    assert error.found != own
    assert "Raise the version in LOADER_CONTRACT" in (error.cure or "")
    assert "loader contract --stamp --again" in (error.cure or "")
    assert error.exit_code == 2


def test_a_refused_header_is_not_cached(tmp_path: Path, own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused the second time too, and read again once it is right."""
    monkeypatch.setenv("NATIVE_PLUGIN_LOADER_CACHE", "on")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(ContractError, match="declares something else"):
            read_header(tmp_path, "int more(loader_call *call);\n", head=head(f"test, 1, 0, {own}"))
    for _ in range(2):
        made = read_header(tmp_path, "", head=head(f"test, 1, 0, {own}"))
        assert made.stamped
        assert made.fingerprint == own[2:]


def test_a_line_that_c_does_not_see_is_none(tmp_path: Path) -> None:
    """In a comment, and in a part that the preprocessor leaves out."""
    hidden = f"#if 0\nLOADER_FINGERPRINT(test, 1, 0, {ZERO});\n#endif\n// LOADER_FINGERPRINT(test, 1, 0, {ZERO});\n"
    assert not read_header(tmp_path, hidden).stamped


def test_macros_are_not_expanded_in_it(tmp_path: Path, own: str) -> None:
    """As in LOADER_CONTRACT: its words are pasted into a name."""
    text = '#include "loader/plugin.h"\n#define test other\nLOADER_CONTRACT(test, 1, 0);\n'
    text += f"LOADER_FINGERPRINT(test, 1, 0, {own});\n#undef test\n{FINE}"
    assert read_header(tmp_path, "", head=text).stamped
    compile_header(text, tmp_path)


REFUSED = {
    "another contract": (["other, 1, 0, {own}"], "of other 1.0 in the contract test"),
    "the base ABI": (["loader, 1, 0, {own}"], "of loader 1.0 in the contract test"),
    "a newer minor": (["test, 1, 1, {own}"], "newer than this header"),
    "a newer major": (["test, 2, 0, {own}"], "newer than this header"),
    "twice": (["test, 1, 0, {own}", "test, 1, 0, {own}"], "a second LOADER_FINGERPRINT of test 1.0"),
    "twice, and differently": (["test, 1, 0, {own}", f"test, 1, 0, {ZERO}"], "a second LOADER_FINGERPRINT"),
    "upper case": (["test, 1, 0, 0x0123456789ABCDEF"], "0x with 16 hexadecimal digits in lower case"),
    "an upper-case X": (["test, 1, 0, 0X0123456789abcdef"], "in lower case"),
    "too short": (["test, 1, 0, 0x0123456789abcde"], "in lower case"),
    "too long": (["test, 1, 0, 0x0123456789abcdef0"], "in lower case"),
    "decimal": (["test, 1, 0, 1234567890123456"], "in lower case"),
    "a suffix": (["test, 1, 0, 0x0123456789abcdefULL"], "in lower case"),
    "no number": (["test, 1, 0, NUMBER"], "in lower case"),
    "an expression": (["test, 1, 0, {own} + 0"], "in lower case"),
    "a minor that is no number": (["test, 1, MINOR, {own}"], "in lower case"),
    "a leading zero": (["test, 1, 00, {own}"], "in lower case"),
    "an argument missing": (["test, 1, {own}"], "4 arguments"),
    "an argument more": (["test, 1, 0, {own}, 1"], "4 arguments"),
    "nothing": ([""], "4 arguments"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_stamp_looks_like_is_refused(tmp_path: Path, own: str, case: str) -> None:
    """One field at a time: with its line, and what to do."""
    stamps, reason = REFUSED[case]
    with pytest.raises(ContractError) as caught:
        read_header(tmp_path, "", head=head(*(each.replace("{own}", own) for each in stamps)))
    assert reason in str(caught.value)
    assert f"line {2 + len(stamps)}:" in (caught.value.found or "")


@pytest.mark.parametrize(
    ("declaration", "instead"),
    [
        ("int f(loader_call *call, long x);", "int64_t or int32_t"),
        ("int f(loader_call *call, unsigned long int x);", "uint64_t or uint32_t"),
        ("typedef long number;\nint f(loader_call *call, number x);", "int64_t or int32_t"),
        ("int f(loader_call *call, LOADER_OUT long *x);", "int64_t or int32_t"),
        ("int f(loader_call *call, char x);", "int8_t or uint8_t"),
        ("typedef struct s { long a; } s;\nint f(loader_call *call, const s *x);", "int64_t or int32_t"),
        ("typedef struct t { struct { long a; } b; } t;\nint f(loader_call *call);", None),
        ("int f(loader_call *call, long long x, unsigned char y, signed char z, size_t n);", None),
        ("typedef struct s { long a; } s;\nint f(loader_call *call);", None),
    ],
)
def test_a_stamped_header_says_the_same_everywhere(tmp_path: Path, declaration: str, instead: str | None) -> None:
    """`long` and a plain `char` differ between machines, so they are refused where a number is to hold on all."""
    read_header(tmp_path, declaration + "\n")
    stamped = HEAD + f"LOADER_FINGERPRINT(test, 1, 0, {ZERO});\n"
    with pytest.raises(ContractError) as caught:
        read_header(tmp_path, declaration + "\n", head=stamped)
    if instead is None:
        assert "declares something else" in str(caught.value)
    else:
        assert caught.value.expected == instead
        assert "not the same on all machines" in str(caught.value)
