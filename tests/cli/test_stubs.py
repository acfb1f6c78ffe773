"""loader/contract/stubs.py, loader/cli/stubs.py: what mypy and pyright say of calls, by the stub of a contract."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import ROOT

import loader

if TYPE_CHECKING:
    from command import Command

CODEC = """\
#include "loader/plugin.h"
LOADER_CONTRACT(codec, 1, 0);
LOADER_BEGIN_C
typedef enum codec_mode { CODEC_FAST = 0, CODEC_BEST = 1 } codec_mode;
typedef enum codec_level { CODEC_LOW = 0, CODEC_HIGH = 9 } codec_level;
typedef struct codec_point { double x, y; } codec_point;
typedef struct codec_stats {
    size_t size; double mean; float deviation; int64_t count; codec_point peak; } codec_stats;
LOADER_EXPORT int scale(loader_call *call, double value, float factor, LOADER_OUT double *scaled);
/* The sum of the products. */
LOADER_EXPORT int dot(loader_call *call, const loader_f64s *a, const loader_f64s *b, LOADER_OUT double *product);
LOADER_EXPORT int gain(loader_call *call, loader_f32s *samples, float factor);
LOADER_EXPORT int describe(loader_call *call, const loader_f64s *values, LOADER_OUT codec_stats *stats);
LOADER_EXPORT int divide(loader_call *call, int64_t a, int64_t b,
                         LOADER_OUT int64_t *quotient, LOADER_OUT int64_t *rest);
LOADER_EXPORT int join(loader_call *call, const loader_texts *words, const loader_text *separator);
LOADER_EXPORT int ramp(loader_call *call, int64_t count, LOADER_OUT loader_f64s *values);
LOADER_LIST(codec_point);
LOADER_EXPORT int centre(loader_call *call, const codec_point_list *points, LOADER_OUT codec_point *centre);
LOADER_EXPORT int norm(loader_call *call, const codec_point *point, codec_mode mode, LOADER_OUT double *norm);
LOADER_EXPORT int blur(loader_call *call, const loader_tensor *image, loader_tensor *result);
typedef struct codec_progress codec_progress;
struct codec_progress { size_t size; int (*at)(loader_call *call, const codec_progress *self, double done); };
LOADER_INTERFACE(codec_progress);
LOADER_EXPORT int train(loader_call *call, const loader_f64s *values, const codec_progress *progress);
LOADER_CLASS(codec_encoder);
LOADER_EXPORT int codec_encoder_new(loader_call *call, codec_mode mode, LOADER_OUT codec_encoder **encoder);
LOADER_GIVES_BYTES LOADER_EXPORT int codec_encoder_feed(loader_call *call, codec_encoder *encoder,
                                                        const loader_bytes *chunk);
LOADER_EXPORT int codec_encoder_next(loader_call *call, codec_encoder *encoder, LOADER_OUT int64_t *code);
LOADER_EXPORT void codec_encoder_free(codec_encoder *encoder);
LOADER_CLASS(codec_reader);
LOADER_EXPORT int open(loader_call *call, const loader_text *name, LOADER_OUT codec_reader **reader);
LOADER_EXPORT int codec_reader_read(loader_call *call, codec_reader *reader, LOADER_OUT loader_bytes *read);
LOADER_EXPORT void codec_reader_free(codec_reader *reader);
LOADER_EXPORT int column(loader_call *call, const loader_arrow *values, LOADER_OUT loader_arrow *same);
typedef struct codec_store codec_store;
struct codec_store { size_t size;
    int (*find)(loader_call *call, const codec_store *self, const loader_text *key, LOADER_OUT int64_t *value); };
LOADER_SERVICE("codec.store/1", codec_store);
LOADER_END_C
"""
# What every application has beside the stub: see docs/hosts.md.
MODULE = """\
from functools import partial
from pathlib import Path

import loader

contract = loader.Contract.from_header(Path(__file__).with_name("codec.h"))
load = partial(loader.load, contract=contract)


def __getattr__(name: str) -> object:
    return getattr(contract, name)
"""
USE = """\
from __future__ import annotations
from array import array
import codec

p = codec.load("codec.so")
floats = array("d", [1.0])
"""
GOOD = """\
from dataclasses import dataclass
from typing import cast
import loader

q = cast("codec.Codec", loader.Host(codec.contract).load("codec.so"))
a1: float = p.scale(2, factor=1.5)
a2: float = p.dot(floats, memoryview(floats))
p.gain(array("f"), 0.5)
a3: float = p.describe(floats).peak.x
a4: int = p.describe(floats).count
quotient, rest = p.divide(7, 2)
a5: int = p.divide(7, 2).rest
a6: str = p.join(["a", "b"], "-")
a7: memoryview[float] = p.ramp(5)
a8: float = p.ramp(5)[0]
a9: codec.codec_point = p.centre([(0, 0), (2, 2)])
p.centre([{"x": 1.0}, codec.codec_point(1.0, 2.0), [1, 2]])
p.blur(memoryview(floats), memoryview(floats))
b1: float = p.norm(codec.codec_point(3.0, 4.0), codec.codec_mode.CODEC_BEST)
b2: float = p.norm(x=3.0, y=4, mode=1)
p.train(floats, lambda done: print(done))
with p.codec_encoder(codec.codec_mode.CODEC_BEST) as e:
    b3: bytes = e.feed(b"...")
    b4: list[int] = list(e)
b5: tuple[int, int] = p.version
with p.open("name") as reader:
    b6: bytes = reader.read()
b7: bool = reader.closed


class Column:
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        raise NotImplementedError


@dataclass(frozen=True)
class Point(loader.Record):
    x: float
    y: float


class Progress:
    def at(self, share: float) -> None: ...


class Store:
    def find(self, key: str) -> int:
        return len(key)


p.column(p.column(Column()))
b8: tuple[object, object] = p.column(Column()).__arrow_c_array__()
p.norm(Point(3, 4), 0)
p.train(floats, Progress())
lent: codec.codec_store = Store()


def later(encoder: codec.codec_encoder, stats: codec.codec_stats) -> float:
    return next(encoder) + stats.mean
"""
#: Lines that are wrong, each for a reason of its own.
WRONG = {
    "a number for an array": "p.dot(3, floats)",
    "too few arguments": "p.dot(floats)",
    "a misspelt function": "p.dott(floats, floats)",
    "a misspelt parameter": "p.scale(value=1.0, faktor=2.0)",
    "text for a number": 'p.scale("2", 1.5)',
    "another enum": "p.codec_encoder(codec.codec_level.CODEC_LOW)",
    "a value that the enum does not have": "p.codec_encoder(7)",
    "a member that the enum does not have": "codec.codec_mode.CODEC_WORST",
    "a number as text": "p.dot(floats, floats).upper()",
    "text as a number": 'p.join(["a"], "-") + 1',
    "a result that the row does not have": "p.divide(7, 2).remainder",
    "a field that the struct does not have": "p.describe(floats).median",
    "too few fields": "p.centre([(0, 0, 0)])",
    "a list of numbers for texts": 'p.join([1, 2], "-")',
    "an object without the method": "p.train(floats, object())",
    "a method of another signature": "p.train(floats, lambda done, more: None)",
    "text for bytes": 'p.codec_encoder(0).feed("text")',
    "a misspelt method": "p.codec_encoder(0).fed(b'')",
    "an instance where none belongs": "p.dot(p.codec_encoder(0), floats)",
    "a fields by a wrong name": "p.norm(mode=0, z=1.0)",
    "an instance that only functions make": "p.codec_reader()",
    "no Arrow array": "p.column(floats)",
    "an Arrow array as numbers": "p.dot(p.column(p.column(floats)), floats)",
    "a service of the wrong type": "wrong: codec.codec_store = object()",
}

# A contract may call its parts what Python calls others.
HIDING = """\
#include "loader/plugin.h"
#include <stdbool.h>
LOADER_CONTRACT(my_app, 1, 2);
typedef enum str { STR_A = 0, None = 1, STR_B = -1 } str;
typedef enum mode { M = 0 } mode;
typedef struct bytes { float real; int index, count, _hidden; loader_bytes data;
    str memoryview[3]; bool object; } bytes;
typedef struct Sequence { bytes tuple[2]; mode property; int int_; } Sequence;
typedef struct MyApp { size_t size; } MyApp;
LOADER_LIST(Sequence);
LOADER_EXPORT int list(loader_call *call, const Sequence *self, int64_t Any,
                       LOADER_OUT int32_t *load, LOADER_OUT bytes *x);
/* Says "x" and \\n, and ends with a quotation mark" */
LOADER_OPTIONAL int property(loader_call *call, const Sequence_list *values, Sequence_list *changed,
                             const loader_texts *words, bool flag, LOADER_OUT loader_text *text);
LOADER_GIVES_BYTES LOADER_EXPORT int overload(loader_call *call, const loader_bytes *b,
                                              LOADER_OUT Sequence_list *list,
                                              LOADER_OUT loader_u8s *count, LOADER_OUT bool *ok);
LOADER_EXPORT int Protocol(loader_call *call, const MyApp *app, LOADER_OUT str *text);
LOADER_EXPORT int memoryview(loader_call *call, LOADER_OUT loader_f32s *values);
LOADER_CLASS(Self);
LOADER_EXPORT int Self_new(loader_call *call, LOADER_OUT Self **self);
LOADER_EXPORT int Self_mode(loader_call *call, Self *self, mode m, LOADER_OUT mode *n);
LOADER_EXPORT int Self_type(loader_call *call, Self *self, bool x);
LOADER_EXPORT void Self_free(Self *self);
typedef struct Callable Callable;
struct Callable { size_t size;
    int (*str)(loader_call *, const Callable *self, const loader_texts *a, const loader_f64s *b,
               const Sequence_list *c,
               const Sequence *d, LOADER_OUT bytes *e, LOADER_OUT loader_bytes *f);
    int (*two)(loader_call *, const Callable *self); };
LOADER_SERVICE("my.x/1", Callable);
typedef struct Fn Fn;
struct Fn { size_t size; int (*bool_)(loader_call *, const Fn *self, const loader_texts *a, const loader_f64s *b,
                                      const Sequence *d, LOADER_OUT bytes *e, LOADER_OUT loader_bytes *f); };
LOADER_INTERFACE(Fn);
LOADER_EXPORT int use(loader_call *call, const Fn *f, mode m);
"""


def _mypy(folder: Path, file: str) -> set[int]:
    """The lines that mypy --strict complains about; of the stub none."""
    # That of the package itself is another test's business, whatever is installed here.
    # What mypy knows of the standard library it learns once for all tests.
    cache = folder.parent / "mypy"
    options = ["--strict", "--follow-imports=silent", "--no-error-summary", f"--cache-dir={cache}"]
    done = _run(folder, "mypy", *options, "codec.pyi", file)
    found = [line.split(":", 3) for line in done.splitlines() if ": error: " in line]
    assert {each[0] for each in found} <= {file}, done
    return {int(each[1]) for each in found}


def _pyright(folder: Path, file: str) -> set[int]:
    """The lines that pyright complains about, strict; of the stub none."""
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    found = json.loads(_run(folder, "pyright", "--outputjson", "--pythonpath", sys.executable, "codec.pyi", file))
    errors = [each for each in found["generalDiagnostics"] if each["severity"] == "error"]
    assert {Path(each["file"]).name for each in errors} <= {file}, errors
    assert found["summary"]["filesAnalyzed"] == 2
    return {each["range"]["start"]["line"] + 1 for each in errors}


CHECKERS = {"mypy": _mypy, "pyright": _pyright}


def _run(folder: Path, module: str, *words: str) -> str:
    environment = {**os.environ, "MYPYPATH": str(ROOT), "HOME": str(folder), "NO_COLOR": "1"}
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=CHECKERS)
def checker(request: pytest.FixtureRequest) -> Callable[[Path, str], set[int]]:
    """Both type checkers; skipped where they are not installed."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return CHECKERS[request.param]


@pytest.fixture
def codec(command: Command, tmp_path: Path) -> Path:
    """A folder with the header, its stub and the module that the stub is of."""
    (tmp_path / "codec.h").write_text(CODEC)
    (tmp_path / "codec.py").write_text(MODULE)
    assert command("stubs", "codec.h", "-o", "codec.pyi").code == 0
    return tmp_path


@pytest.mark.slow
def test_good_calls_pass(checker: Callable[[Path, str], set[int]], codec: Path) -> None:
    """What works is not complained about, with the types that the results really have."""
    (codec / "use.py").write_text(USE + GOOD)
    assert checker(codec, "use.py") == set()


@pytest.mark.slow
def test_wrong_calls_are_flagged(checker: Callable[[Path, str], set[int]], codec: Path) -> None:
    """Every wrong line is, and no other."""
    (codec / "use.py").write_text(USE + "\n".join(WRONG.values()) + "\n")
    first = USE.count("\n") + 1
    found = checker(codec, "use.py")
    assert [reason for line, reason in enumerate(WRONG, first) if line not in found] == []
    assert min(found) >= first


@pytest.mark.slow
def test_names_that_python_has_too(
    checker: Callable[[Path, str], set[int]], command: Command, tmp_path: Path
) -> None:
    """A function `list`, an enum `str`, a class `Self`: the stub still says what it means."""
    (tmp_path / "my.h").write_text(HIDING)
    assert command("stubs", "my.h", "-o", "codec.pyi").code == 0
    lines = [
        "import codec",
        'p = codec.load("x")',
        "s: int = p.list((((0.0,) * 7,) * 2, 0, 1), 2).load".replace("((0.0,) * 7,) * 2", "[{}, {}]"),
        "t: bytes = p.overload(b'').bytes",
        "u: codec.str = p.Protocol({})",
        "v: float = p.memoryview()[0]",
        "w: codec.mode = p.Self().mode(0)",
        "x: str = p.Protocol({}) + 'wrong'",
    ]
    (tmp_path / "use.py").write_text("\n".join(lines) + "\n")
    assert checker(tmp_path, "use.py") == {8}


def test_the_stub_says_what_is_there_at_run_time(codec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enums and rows of the module have the members that the stub gives them."""
    monkeypatch.syspath_prepend(codec)
    monkeypatch.delitem(sys.modules, "codec", raising=False)
    spec = importlib.util.spec_from_file_location("codec", codec / "codec.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.codec_mode.CODEC_BEST == 1
    point = module.codec_point(1.0, 2.0)
    assert point._replace(y=3.0) == module.codec_point._make([1.0, 3.0]) == (1.0, 3.0)
    with pytest.raises(TypeError, match="codec_point takes x, y"):
        point._replace(z=0.0)
    with pytest.raises(AttributeError, match="no codec_mod"):
        _ = module.codec_mod
    assert module.load.keywords["contract"].name == "codec"


def test_comments_become_docstrings(codec: Path) -> None:
    """An editor shows them."""
    assert '"""The sum of the products."""' in (codec / "codec.pyi").read_text()


def test_the_same_header_gives_the_same_text(command: Command, codec: Path) -> None:
    """Also from another folder; and a file that has it already is not touched."""
    path = codec / "codec.pyi"
    text, state = path.read_text(), path.stat()
    done = command("stubs", "codec.h", "-o", "codec.pyi")
    assert (done.code, done.text) == (0, "codec.pyi: has the types of codec 1.0 already\n")
    assert path.stat() == state
    assert command("stubs", str(codec / "codec.h")).text == text


def test_check_finds_what_changed(command: Command, codec: Path) -> None:
    """Exit code 1 and the cure, and nothing is written: for a stub of another header, and for none."""
    path = codec / "codec.pyi"
    done = command("stubs", "codec.h", "-o", "codec.pyi", "--check", "--json")
    assert (done.code, done.json) == (0, {"contract": "codec 1.0", "path": "codec.pyi", "changed": False})
    (codec / "codec.h").write_text(CODEC.replace("float factor", "int factor"))
    before = path.read_text()
    done = command("stubs", "codec.h", "-o", "codec.pyi", "--check")
    assert done.code == 1
    said = "codec.pyi: does not have the types of codec 1.0. Write it anew: loader stubs codec.h -o codec.pyi\n"
    assert done.text == said
    assert path.read_text() == before
    path.unlink()
    assert command("stubs", "codec.h", "-o", "codec.pyi", "--check", "--json").json["changed"]
    assert not path.exists()


def test_wrong_usage(command: Command, codec: Path) -> None:
    """--check without a file, a folder that is not there, a header that says nothing good."""
    done = command("stubs", "codec.h", "--check")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--check without -o" in done.err
    done = command("stubs", "codec.h", "-o", "nowhere/codec.pyi")
    assert (done.code, done.err) == (
        1,
        "loader: error: nowhere/codec.pyi: cannot be written; found No such file or directory\n",
    )
    (codec / "codec.h").write_text("nothing")
    done = command("stubs", "codec.h", "-o", "codec.pyi")
    assert done.code == 2
    assert list(codec.glob("*.part")) == []


def test_the_module_of_an_application_is_typed(tmp_path: Path) -> None:
    """Also by itself, before its stub is written: as docs/hosts.md shows it."""
    text = (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8")
    module = text[text.index("```python measuring.py\n") :].split("```")[1].partition("\n")[2]
    assert [line.split("  #")[0] for line in module.splitlines()[2:]] == MODULE.replace(
        '"codec.h"', '"measure.h"'
    ).splitlines()
    (tmp_path / "measuring.py").write_text(module)
    found = _run(tmp_path, "mypy", "--strict", "--follow-imports=silent", "measuring.py")
    assert "Success: no issues found" in found


@pytest.mark.parametrize(
    ("place", "found", "meant"),
    [
        (".", "a folder", "./codec.pyi"),
        ("types.txt", "another ending", "types.pyi"),
        ("codec.py", "another", "codec.pyi"),
    ],
)
def test_only_a_pyi_is_written(command: Command, codec: Path, place: str, found: str, meant: str) -> None:
    """A type checker finds it by that; a folder is told with the file that would lie in it. --check too."""
    before = sorted(codec.iterdir())
    for more in ((), ("--check",)):
        done = command("stubs", "codec.h", "-o", place, *more)
        assert done.code == 2
        assert "a stub is a file whose name ends with .pyi; expected" in done.err
        assert f"FILE.py, found {found}" in done.err
        assert done.err.endswith(f"Write: -o {meant}\n")
    assert sorted(codec.iterdir()) == before


def test_json_on_standard_output(command: Command, codec: Path) -> None:
    """The text is a member."""
    done = command("stubs", "codec.h", "--json").json
    assert done == {"contract": "codec 1.0", "stub": (codec / "codec.pyi").read_text()}


def test_shipped_contracts_have_stubs(command: Command) -> None:
    """By their names."""
    assert "class Htmlize(Protocol):" in command("stubs", "htmlize").text
    assert loader.Contract is not None
