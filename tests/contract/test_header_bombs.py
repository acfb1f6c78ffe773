"""Small headers that would cost minutes or gigabytes: refused soon, in little memory, with the line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tree import EMULATED

import loader

BEGIN = '#include "loader/plugin.h"\nLOADER_CONTRACT(bomb, 1, 0);\n'
END = "LOADER_BEGIN_C\nLOADER_EXPORT int f(loader_call *call);\nLOADER_END_C\n"
SECONDS = 3
BYTES = 200 << 20

#: Runs with the memory that it may take limited, and says what was refused, and in how many seconds.
PROGRAM = """
import resource, sys, time
import loader
limit = int(sys.argv[2])
import pycparser.c_parser, loader.contract.header.rules
used = int(open("/proc/self/statm").read().split()[0]) * 4096
if limit:
    resource.setrlimit(resource.RLIMIT_AS, (used + limit, used + limit))
begin = time.process_time()
try:
    loader.Contract.from_header(sys.argv[1])
    print("accepted")
except loader.ContractError as error:
    print(len(str(error)) < 2000 and error.found)
print(time.process_time() - begin)
"""


def chain(count: int, line: str) -> str:
    """A line for each number and its successor."""
    return "\n".join(line.format(i, i + 1) for i in range(count)) + "\n"


BOMBS = {
    "squarings": "enum e { A0 = 0x7fffffffffff,\n" + chain(40, "A{1} = A{0} * A{0},") + "};",
    "shifts": "enum e { A0 = 1,\n" + chain(40, "A{1} = A{0} << 60,") + "};",
    "sums": "enum e { A0 = 0x7fffffffffffffff, B };",
    "long number": "enum e { A = " + "9" * 900_000 + " };",
    "long hexadecimal": "enum e { A = 0x" + "f" * 900 + " };",
    "condition": "#if 0x7fffffffffffffff * 0x7fffffffffffffff\n#endif",
    "nested conditions": "#if " + "(" * 9_000 + "1" + ")" * 9_000 + "\n#endif",
    "unary condition": "#if " + "!" * 20_000 + "1\n#endif",
    "array": "typedef struct s { int a" + "[1 << 30]" * 9_000 + "; } s;",
    "arrays of arrays": "typedef int T0;\n" + chain(7_000, "typedef T{0} T{1}[9];"),
    "pointers": "typedef int " + "*" * 20_000 + "p;",
    "pointers to pointers": "typedef int T0;\n" + chain(7_000, "typedef T{0} *T{1};"),
    "functions of functions": "typedef int A0;\ntypedef int B0;\n"
    + chain(60, "typedef int A{1}(A{0} *, A{0} *);\ntypedef int B{1}(B{0} *, B{0} *);")
    + "typedef A60 *X;\ntypedef B60 *X;",
    "brackets": "typedef int " + "(" * 9_000 + "p" + ")" * 9_000 + ";",
    "structs in structs": "struct s {" * 5_000 + "int x;" + "} a;" * 5_000,
    "sum in an enum": "enum e { A = " + "1+" * 10_000 + "1 };",
    "declarations": chain(100_000, "typedef int T{0};"),
    "functions": chain(100_000, "LOADER_EXPORT int f{0}(loader_call *call);"),
    "semicolons": ";" * 1_000_000,
    "wrong at the end": chain(5_500, "typedef int T{0};") + "typedef unknown wrong;",
    "macros that double": chain(40, "#define A{0} A{1} A{1}") + "A0",
    "macros in macros": chain(5_000, "#define A{0} A{1}") + "enum e { A = A0 };",
    "a long name, often": "#define A " + "a" * 900 + "\n#define B " + "A " * 5_000 + "\n" + "B\n" * 5_000,
    "an endless name": "typedef int " + "a" * 900_000 + ";",
    "quotes": '"\\' * 400_000,
    "values": "typedef enum e {"
    + ",".join(f"A{i}" for i in range(5_000))
    + "} e;\n"
    + chain(600, "int g{0}(loader_call *call, e a, e b, e c, e d, e e, e f);"),
}


def refused(header: Path, limit: int = BYTES) -> tuple[str, float]:
    """What was found wrong with a header, and the seconds that it took; with so much memory, or 0 for any."""
    package = os.path.dirname(os.path.dirname(loader.__file__))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(header), str(limit)],
        env=os.environ | {"NATIVE_PLUGIN_LOADER_CACHE": "off", "PYTHONPATH": package},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    found, spent = done.stdout.rstrip("\n").rsplit("\n", 1)
    return found, float(spent)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured by /proc")
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(tmp_path: Path, bomb: str) -> None:
    """Each is refused within 3 seconds of computing and 200 MB, and the message has its line."""
    header = tmp_path / "bomb.h"
    header.write_text(BEGIN + BOMBS[bomb] + "\n" + END)
    sanitized = "LD_PRELOAD" in os.environ  # sanitizers reserve terabytes, and take their time
    found, spent = refused(header, 0 if sanitized else BYTES)
    assert re.match(r"line \d+: ", found), found
    assert sanitized or EMULATED or spent < SECONDS


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured by /proc")
@pytest.mark.parametrize("shape", ["twice", "wide", "many"])
def test_trees(tmp_path: Path, shape: str) -> None:
    """Headers that include each other over and over are refused as soon, with the line of an include."""
    header = tmp_path / "bomb.h"
    if shape == "twice":
        for i in range(14):
            (tmp_path / f"a{i}.h").write_text(f'#include "a{i + 1}.h"\n' * 3)
        (tmp_path / "a14.h").write_text("typedef int x;\n")
        header.write_text(BEGIN + '#include "a0.h"\n' + END)
    elif shape == "wide":
        for i in range(100):
            (tmp_path / f"a{i}.h").write_text("")
        header.write_text(BEGIN + "".join(f'#include "a{i}.h"\n' for i in range(100)) + END)
    else:
        header.write_text(BEGIN + "".join(f'#include "missing{i}.h"\n' for i in range(40_000)) + END)
    found, spent = refused(header)
    assert re.match(r"line \d+: ", found), found
    assert EMULATED or spent < SECONDS


@pytest.mark.parametrize(
    ("condition", "result"),
    [
        ("0xffffffffffffffff == 18446744073709551615u", True),
        ("0xffffffffffffffffu > 0", True),
        ("-0x7fffffffffffffff - 1 < 0", True),
        ("(1u << 63) / 2 == 0x4000000000000000", True),
        ("7 % -2 == 1 && -7 / 2 == -3", True),
        ("0x7fffffffffffffff + 1", None),
        ("-0x7fffffffffffffff - 2", None),
        ("0u - 1", None),
        ("~0u", None),
        ("-1 < 0u", None),
        ("1 << 63", None),
        ("18446744073709551616", None),
        ("9223372036854775808", None),
    ],
)
def test_arithmetic(tmp_path: Path, condition: str, result: bool | None) -> None:
    """Constant expressions are C's: 64 bits, signed or unsigned; what does not fit is refused with its line."""
    header = tmp_path / "test.h"
    header.write_text(f"{BEGIN}#if {condition}\n#else\n#error it is false\n#endif\n{END}")
    if result is None:
        with pytest.raises(loader.ContractError) as caught:
            loader.Contract.from_header(header)
        assert str(caught.value.found).startswith("line 3: the condition cannot be decided")
        assert "64 bits" in str(caught.value.found) or "unsigned" in str(caught.value.found)
    else:
        assert loader.Contract.from_header(header).name == "bomb"


def test_a_large_honest_header(tmp_path: Path) -> None:
    """A contract far larger than any is read."""
    header = tmp_path / "large.h"
    functions = chain(800, "LOADER_EXPORT int f{0}(loader_call *call, const loader_text *text, int64_t number);")
    header.write_text(f"{BEGIN}LOADER_BEGIN_C\n{functions}LOADER_END_C\n")
    assert len(loader.Contract.from_header(header).functions) == 800
