"""The preprocessor of contract headers: conditions, macros, includes."""

from __future__ import annotations

from pathlib import Path

import pytest
from headers import HEAD, compile_header, read_header

from loader.contract import Contract
from loader.errors import ContractError


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
        ("#if 1\n#elif nonsense (", False),
        ("#if 0\n#else", True),
        ("#if 1\n#else", False),
        ("#if 0\n#if 1\n#else\n#endif\n#elif 0\n#else", True),
        ("#if 0\n#error don't\n#include nothing\n#unknown\n#else", True),
        ("#  define FOO /* a\ncomment */ 1\n# if FOO \\\n  == 1", True),
        ("#define FOO 1\n#undef FOO\n#ifdef FOO", False),
        ("#warning never mind\n#pragma GCC visibility push(default)\n#if 1", True),
    ],
)
def test_conditions(tmp_path: Path, condition: str, holds: bool) -> None:
    """Conditions hold when they do in C."""
    contract = read_header(tmp_path, f"{condition}\nint f(loader_call *call);\n#endif\n")
    assert [function.name for function in contract.functions] == (["fine", "f"] if holds else ["fine"])


def test_constants_and_inline_functions_are_left_out(tmp_path: Path) -> None:
    """What is static, and asserts, are no part of a contract, whatever C they are written in."""
    header = (
        "#define LIMIT 100\n#define SQUARE(x) ((x) * (x))\nenum { FIRST = LIMIT };\n"
        'LOADER_STATIC_ASSERT(sizeof(int) == 4 && sizeof(";" "{") == 3, "}");\n'
        '_Static_assert(1,\n\n    "two lines");\n'
        "static const int constant = SQUARE(3);\n"
        "static inline FILE *helper(FILE *file, int n)\n{\n    if (n) { return file; }\n    return NULL;\n}\n"
        "__attribute__((unused)) static int other(void) { return SQUARE(constant); }\n"
        "static inline int declared_only(int x);\n"
        "static inline int declared_only(int x) { return x; }\n"
        "LOADER_EXPORT int f(loader_call *call, int n);\n"
    )
    contract = read_header(tmp_path, header)
    assert [function.name for function in contract.functions] == ["fine", "f"]
    used = "int use(void) { return helper(NULL, 0) == NULL && declared_only(other()); }\n"
    compile_header(HEAD + header + used, tmp_path)


def test_includes(tmp_path: Path) -> None:
    """Quoted includes are read beside the header or in `include`, once each if guarded, at any depth."""
    files = {
        "types.h": '#ifndef T\n#define T\n#include "sub/inner.h"\n#include "test.h"\ntypedef inner outer;\n#endif\n',
        "sub/inner.h": "#pragma once\n#include <math.h>\ntypedef struct inner { int32_t a; } inner;\n",
        "far/far.h": "int far_one(loader_call *call);\n",
    }
    head = '#ifndef GUARD\n#define GUARD\n#include "loader/plugin.h"\n#include "stdint.h"\n#include "types.h"\n'
    text = head + '#include "sub/inner.h"\nLOADER_CONTRACT(test, 1, 0);\nint f(loader_call *call, const outer *x);\n'
    contract = read_header(tmp_path, text + "#endif\n", files=files, head="")
    assert contract.struct("inner").size == 4
    (tmp_path / "test.h").write_text(text + '#include "far.h"\n#include <far.h>\n#endif\n')
    with pytest.raises(ContractError, match=r'"far\.h" is not found'):
        Contract.from_header(tmp_path / "test.h")
    (tmp_path / "test.h").write_text(text + "#include <far.h>\n#endif\n")
    contract = Contract.from_header(tmp_path / "test.h", include=[tmp_path / "far"])
    assert contract.required == ("f", "far_one")


def test_windows_newlines_and_byte_order_mark(tmp_path: Path) -> None:
    """A header saved on Windows is the same contract, with the same lines in refusals."""
    header = tmp_path / "test.h"
    header.write_bytes(
        b"\xef\xbb\xbf"
        + (HEAD + "#define A \\\n  1\nint f(loader_call *call, loader_text x);\n").replace("\n", "\r\n").encode()
    )
    with pytest.raises(ContractError, match="line 6: "):
        Contract.from_header(header)
