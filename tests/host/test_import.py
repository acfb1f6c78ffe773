"""What importing and using the package drags in, and that it is quiet."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER, PLUGINS, ROOT

import loader

Run = Callable[..., subprocess.CompletedProcess[str]]

#: Slow to import, and for what most programs do not do: parsing headers, signatures, entry points, logging.
HEAVY = {
    "pycparser",
    "cffi",
    "cffi.api",
    "cffi.cparser",
    "importlib.metadata",
    "logging",
    "json",
    "asyncio",
    "email",
}


def imported(run_python: Run, code: str, *arguments: str | Path) -> set[str]:
    """The modules that a program has at its end and a bare Python has not."""
    bare = set(run_python("import sys; print(*sys.modules)").stdout.split())
    done = run_python(f"{code}\nimport sys\nprint(*sys.modules)", *arguments)
    return set(done.stdout.split()) - bare


def test_import_is_light(run_python: Run) -> None:
    """`import loader` imports nothing that is slow, and nothing of ours but the names' place."""
    modules = imported(run_python, "import loader")
    assert "loader" in modules
    assert not modules & (HEAVY | {"inspect", "dataclasses"})


def test_every_name_is_light(run_python: Run) -> None:
    """Using every public name imports neither a parser nor what only some programs need."""
    modules = imported(run_python, "import loader\nfor name in loader.__all__: getattr(loader, name)")
    assert "loader.host" in modules
    assert not modules & HEAVY


def test_loading_is_light(
    run_python: Run, hello: Path, greeter: loader.Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading and calling a plugin of a cached contract imports no parser, and nothing for rare cases."""
    monkeypatch.delenv("NATIVE_PLUGIN_LOADER_CACHE", raising=False)  # whoever runs the tests may have it off
    code = """
import sys, loader
contract = loader.Contract.from_header(sys.argv[2])
assert loader.load(sys.argv[1], contract=contract).greet("you") == "Hello, you!"
"""
    assert loader.Contract.from_header(GREETER) == greeter  # cached in this session's cache folder
    modules = imported(run_python, code, hello, GREETER)
    assert not modules & {"pycparser", "cffi", "cffi.api", "importlib.metadata", "logging", "tempfile", "fcntl"}


def test_import_warns_of_nothing(run_python: Run, hello: Path) -> None:
    """Importing and loading are silent where warnings are errors."""
    code = """
import sys, loader
for name in loader.__all__: getattr(loader, name)
import loader.cli, loader.htmlize
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
print(plugin.greet("you"))
"""
    for flags in (
        ("-W", "error"),
        ("-W", "error", "-X", "dev"),
        ("-W", "error", "-O"),
        ("-W", "error", "-bb", "-OO"),
    ):
        done = run_python(code, hello, GREETER, flags=flags)
        assert (done.stdout, done.stderr) == ("Hello, you!\n", "")


def test_public_names() -> None:
    """Every public name is there, listed, and not a module by accident."""
    for name in loader.__all__:
        assert getattr(loader, name) is not None
        assert not isinstance(getattr(loader, name), type(sys))
    assert set(loader.__all__) <= set(dir(loader))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        loader.nothing  # noqa: B018


def test_names_survive_their_modules(run_python: Run) -> None:
    """`loader.load` and `loader.discover` stay functions after the modules of these names were imported."""
    done = run_python("""
import loader.load, loader.discover, loader.host, loader.plugin
import loader
print(callable(loader.load), callable(loader.discover), loader.Host.__name__)
""")
    assert done.stdout == "True True Host\n"


def test_exit_with_a_plugin_loaded(run_python: Run, probe_path: Path) -> None:
    """A program ends well with plugins loaded, limits in force, and a thread still inside a plugin."""
    code = """
import sys, threading, time, loader
probe = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
threading.Thread(target=probe.spin, args=(100000,), daemon=True).start()
loader.deadline(50).__enter__()
loader.CancelToken().__enter__()
print(probe.echo("bye"))
"""
    for _ in range(5):
        assert run_python(code, probe_path, PLUGINS / "probe.h").stdout == "bye\n"


def test_core_cannot_be_misused(run_python: Run) -> None:
    """The C types refuse what would make them unsafe."""
    done = run_python("""
from loader._core import _call
owner = _call.Owner("x", "x.so")
layout = _call.Layout("s", 16, False, (("a", "i", 0, 8, True),))
wrong = [
    lambda: _call.Function("f", 0, owner, (), False, "", None, None),
    lambda: _call.Function("f", "1", owner, (), False, "", None, None),
    lambda: _call.Function("f", 1, "owner", (), False, "", None, None),
    lambda: _call.Function("f", 1, owner, (("a", "i", 8, False, None),) * 9, False, "", None, None),
    lambda: _call.Function("f", 1, owner, (("a", "s", 8, False, None),), False, "", None, None),
    lambda: _call.Function("f", 1, owner, (("a", "i", 8, False, layout),), False, "", None, None),
    lambda: _call.Function("f", 1, owner, (("a", "i", 9, False, None),), False, "", None, None),
    lambda: _call.Function("f", 1, owner, (("a", "i", 3, False, None),), False, "", None, None),
    lambda: _call.Function("f", 1, owner, (("a", "x", 8, False, None),), False, "", None, None),
    lambda: _call.Function("f", 1, owner, (("a", "d", 8, False, None),), False, "", None, None),
    lambda: _call.Function("f", 1, owner, ("a",), False, "", None, None),
    lambda: _call.Layout("s", 0, False, ()),
    lambda: _call.Layout("s", 4, True, ()),
    lambda: _call.Layout("s", 1 << 20, False, ()),
    lambda: _call.Layout("s", 16, False, (("a", "i", 12, 8, True),)),
    lambda: _call.Layout("s", 16, False, (("a", "i", -8, 8, True),)),
    lambda: _call.Layout("s", 16, False, (("a", "i", 0, 3, True),)),
    lambda: _call.Layout("s", 16, False, (("a", "t", 0, 8, True),)),
    lambda: _call.Layout("s", 16, False, (("a", "d", 0, 4, True),)),
    lambda: _call.Layout("s", 16, False, (("a", "s", 0, 8, True),)),
    lambda: _call.Layout("s", 32, False, (("a", "t", 24, 16, True),)),
    lambda: _call.Owner("x", "x.so", "services"),
    lambda: _call.Owner("x", "x.so", None, -1),
    lambda: _call.Limit("1"),
    lambda: _call.Limit(1, "parent"),
    lambda: _call.Limit().leave("token"),
    lambda: _call.Deadline("1"),
    lambda: _call.Deadline(),
    lambda: _call.CancelToken(1),
    lambda: _call.Services().add("a/1", 0, None),
    lambda: _call.Table((("f", (), ()),) * 33),
    lambda: _call.Table((("f", (("a", "i", 8, True, None, None, 0, False, "", None),) * 17, ()),)),
    lambda: _call.Table((("f", (("a", "s", 8, False, None, None, 0, False, "", None),), ()),)),
    lambda: _call.Services().add("a/1", _call.Table((("f", (), ()),)), ()),
    lambda: _call.Services().add("a/1", (1,), ()),
]
for number, make in enumerate(wrong):
    try:
        made = make()
    except (TypeError, ValueError, OverflowError):
        continue
    print(number, made)
services = _call.Services()
services.add("a/1", _call.Table(()), ())
try:
    services.add("a/1", _call.Table(()), ())
except KeyError:
    print("twice is refused")
""")
    assert done.stdout == "twice is refused\n"


# ---- Modules, and a checkout that is not built --------------------------------------------------------------


@pytest.mark.parametrize("module", ["crash", "trust", "process_state"])
def test_public_modules_are_there(run_python: Run, module: str) -> None:
    """`loader.crash` and the others are there after `import loader`, and `dir` tells of them."""
    code = f"import loader; assert {module!r} in dir(loader); print(loader.{module}.__name__.startswith('loader.'))"
    assert run_python(code).stdout == "True\n"


def test_a_checkout_that_is_not_built(tmp_path: Path) -> None:
    """`import loader` in a checkout without the C side says what to do, instead of failing at the first use."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "loader", checkout / "loader", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (checkout / "setup.py").touch()
    for statement in ("import loader", "import loader.cli", "from loader.htmlize import Htmlizer"):
        theirs = ("PYTHONSAFEPATH", "PYTHONPATH")
        environment = {name: value for name, value in os.environ.items() if name not in theirs}
        given = [sys.executable, "-c", statement]
        done = subprocess.run(given, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"ImportError: loader is not built in the checkout {checkout}"), done.stderr
        assert "pip install -e ." in last
        assert ("-P" in last) == (sys.version_info >= (3, 11))  # older ones do not have it


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    """It reads which one is needed, before anything that it does not understand; `python -m` without a traceback."""
    ast.parse((ROOT / "loader" / "__init__.py").read_text(encoding="utf-8"), feature_version=(3, 7))
    program = tmp_path / "old.py"
    program.write_text("""
import runpy, sys
sys.version_info = (3, 9, 18, "final", 0)
for name in ("loader", "loader.cli", "loader.htmlize.cli"):
    try:
        __import__(name)
    except ImportError as error:
        print(error)
runpy._run_module_as_main(sys.argv[1])
""")
    for name in ("loader", "loader.htmlize.cli"):
        given = [sys.executable, str(program), name]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stdout == "loader needs Python 3.10 or newer; this is 3.9\n" * 3
        assert "loader needs Python 3.10 or newer; this is 3.9" in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_is_found_prints_short(hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A Found is a line, whatever its file exports."""
    (found,) = loader.discover(hello, contract=greeter)
    assert repr(found) == f"<found hello at {hello}, handshake held>"
    (found,) = loader.discover(hello)
    assert repr(found) == f"<found hello at {hello}, read>"
    (tmp_path / "e.so").touch()
    (found,) = loader.discover(tmp_path / "e.so")
    assert repr(found) == f"<found e at {tmp_path}/e.so, failed: ImageError>"
