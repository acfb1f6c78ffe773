"""A subinterpreter: the modules in C refuse it with a reason, and the main interpreter goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER

pytest.importorskip("_testcapi", reason="this Python has no test module that makes subinterpreters")

Run = Callable[..., subprocess.CompletedProcess[str]]

#: Tries each module in a legacy subinterpreter, which shares the GIL and all that is static.
BEGIN = """
import sys
import _testcapi
INSIDE = '''
for name in ("loader._core._call", "loader.htmlize._engine", "loader.load", "loader.host", "loader.htmlize"):
    try:
        __import__(name)
    except ImportError as error:
        assert "main interpreter" in str(error), error
    else:
        print("imported", name)
try:
    import loader
    loader.Record
except ImportError as error:
    print("refused", flush=True)
'''
"""


@pytest.mark.parametrize("loaded", [False, True], ids=["first", "after the main interpreter"])
def test_refused(run_python: Run, hello: Path, loaded: bool) -> None:
    """ImportError before and after the main interpreter has imported them, which loads and calls all the same."""
    load = """
import loader, loader.htmlize
plugin = loader.load(sys.argv[2], contract=loader.Contract.from_header(sys.argv[1]))
print(plugin.greet("x"))
print(loader.htmlize.Htmlizer().htmlize(":tt:`x`"), end="", flush=True)
"""
    attempt = "for _ in range(3):\n    assert _testcapi.run_in_subinterp(INSIDE) == 0\n"
    done = run_python(BEGIN + (load if loaded else "") + attempt + load, GREETER, hello)
    works = ["Hello, x!", "<p><tt>x</tt></p>", ""]
    assert done.stdout.splitlines() == (works if loaded else []) + ["refused"] * 3 + works


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with a GIL of their own came with 3.12")
def test_refused_with_a_gil_of_its_own(run_python: Run) -> None:
    """The same of an interpreter with a GIL of its own."""
    code = """
import sys
code = '''
try:
    import loader._core._call
except ImportError:
    print("refused", flush=True)
'''
options = dict(use_main_obmalloc=False, allow_fork=False, allow_exec=False, allow_threads=True,
               allow_daemon_threads=False, check_multi_interp_extensions=True)
if sys.version_info >= (3, 13):
    import _interpreters
    assert _interpreters.exec(_interpreters.create("isolated"), code) is None
else:
    import _testcapi
    gil = {"own_gil": True}
    assert _testcapi.run_in_subinterp_with_config(code, **options, **gil) == 0
"""
    assert run_python(code).stdout == "refused\n"
