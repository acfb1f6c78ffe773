"""Files that are no contract header: another syntax, directives that are not followed, no contract, no text."""

from __future__ import annotations

from pathlib import Path

import pytest
from headers import check_refused, read_header

from loader.contract import Contract
from loader.errors import ContractError

REFUSED = {
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
    "".join(f"#define A{i} A{i + 1} A{i + 1}\n" for i in range(40)) + "A0": (44, "more than 60000 tokens"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(tmp_path: Path, text: str) -> None:
    """What is not supported is refused with file, line and reason."""
    check_refused(tmp_path, text, *REFUSED[text])


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
def test_malformed_contract(tmp_path: Path, contract: str, reason: str) -> None:
    """The contract's name and version must make a symbol that the handshake understands."""
    with pytest.raises(ContractError) as caught:
        read_header(tmp_path, "", head=f'#include "loader/plugin.h"\n{contract}\nint f(loader_call *call);\n')
    assert caught.value.found is not None
    assert caught.value.found.startswith(f"line 2: {reason}")


def test_contract_versions_are_not_macros(tmp_path: Path) -> None:
    """A macro as a version is refused: C pastes its name, not its value, into the marker."""
    head = '#include "loader/plugin.h"\n#define MAJOR 1\nLOADER_CONTRACT(test, MAJOR, 0);\n'
    with pytest.raises(ContractError, match="line 3: the contract's major version is 'MAJOR'"):
        read_header(tmp_path, "int f(loader_call *call);\n", head=head)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "it is not included"),
        ("LOADER_CONTRACT(test, 1, 0);\nint f(loader_call *call);\n", "it is not included"),
        ('#include "loader/plugin.h"\nint f(loader_call *call);\n', "no LOADER_CONTRACT"),
        ('#include "loader/plugin.h"\nLOADER_CONTRACT(test, 1, 0);\n', "no function"),
    ],
)
def test_lacking(tmp_path: Path, text: str, found: str) -> None:
    """A header without plugin.h, without a name or without a function is no contract."""
    with pytest.raises(ContractError) as caught:
        read_header(tmp_path, text, head="")
    assert caught.value.found == found
    assert caught.value.expected is not None


def test_refusal_names_the_included_file(tmp_path: Path) -> None:
    """An error in an included file is reported with that file and its line."""
    with pytest.raises(ContractError) as caught:
        read_header(
            tmp_path, '#include "more.h"\n', files={"more.h": "\n\nint f(loader_call *call, loader_text x);\n"}
        )
    assert caught.value.path == str(tmp_path / "more.h")
    assert caught.value.found == "line 3: parameter 'x' of 'f' is a loader_text by value"
    assert caught.value.function == "f"
    assert caught.value.cure == "Pass const loader_text *"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "no such file"),
        (b"int a;\n/* \xff */", "line 2: byte 10 is not UTF-8"),
        (b"int a;\n\n\0", "line 3: a NUL character"),
        (b" " * ((1 << 20) + 1), "line 1: more than 1048576 bytes"),
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
    "text", ["int f(loader_call *call, const loader_text %s x);" % ("*" * 5000), "#if " + "(" * 5000]
)
def test_deep_nesting(tmp_path: Path, text: str) -> None:
    """Nesting beyond what the parser can hold is refused, not a crash."""
    with pytest.raises(ContractError):
        read_header(tmp_path, text + "\n")
