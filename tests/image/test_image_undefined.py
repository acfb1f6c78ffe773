"""loader.image.undefined: symbols that nobody has, told before dlopen refuses the file; against ldd -r and dlopen."""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from loader.image import read_image
from loader.image.needs import glibc, libraries, problems
from loader.image.undefined import undefined

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the dynamic linker of Linux")

ORIGIN = ("-L.", "-Wl,-rpath,$ORIGIN")


@pytest.fixture
def link(tmp_path: Path, tool: Callable[..., str]) -> Callable[..., Path]:
    """Compiles a source to a shared library in tmp_path, with flags of the linker."""

    def make(target: str, source: str, *flags: str) -> Path:
        (tmp_path / "source.c").write_text(source)
        command = [tool("cc", "gcc", "clang"), "-shared", "-fPIC", "-o", target, "source.c", *flags]
        subprocess.run(command, cwd=tmp_path, check=True)
        return tmp_path / target

    return make


def calls(name: str, attribute: str = "") -> str:
    """A source that calls a function of somebody else's."""
    return f"{attribute} int {name}(void);\nint caller(void);\nint caller(void) {{ return {name}(); }}\n"


def defines(name: str) -> str:
    """A source that has the function."""
    return f"int {name}(void);\nint {name}(void) {{ return 1; }}\n"


def refused(path: Path) -> str | None:
    """What the dynamic linker says of it, in a Python of its own; None: it is loaded."""
    code = "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_NOW)"
    done = subprocess.run([sys.executable, "-I", "-c", code, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "OSError" in done.stderr, done.stderr
    return done.stderr.splitlines()[-1] if done.returncode else None


def test_what_nobody_has_is_named_with_the_cure(link: Callable[..., Path]) -> None:
    """And the dynamic linker refuses the file for the same symbol."""
    path = link("plugin.so", calls("nobody_has_this"))
    (problem,) = problems(read_image(path))
    assert problem.fatal
    assert problem.what == "needs a symbol that no library has: nobody_has_this"
    assert "--no-undefined" in problem.cure
    assert "nobody_has_this" in (refused(path) or "")


def test_many_are_counted(link: Callable[..., Path]) -> None:
    """Three are named, the others counted: a forgotten library can mean hundreds."""
    path = link("plugin.so", "\n".join(f"int f{i}(void); int g{i}(void) {{ return f{i}(); }}" for i in range(9)))
    assert "f0, f1, f2 and 6 more" in problems(read_image(path))[0].what


def test_data_counts_as_functions_do(link: Callable[..., Path]) -> None:
    """A variable that nobody has keeps the file out too."""
    path = link("plugin.so", "extern int nobody_has_that; int get(void); int get(void) { return nobody_has_that; }")
    assert "nobody_has_that" in problems(read_image(path))[0].what
    assert refused(path)


def test_weak_ones_may_be_missing(link: Callable[..., Path]) -> None:
    """A weak reference is 0 where nobody has it."""
    path = link("plugin.so", calls("nobody_has_this", "__attribute__((weak))"))
    assert problems(read_image(path)) == ()
    assert refused(path) is None


def test_python_and_its_libraries_have_some(link: Callable[..., Path]) -> None:
    """A file that calls Python, or libc without being linked with it, is loaded all the same."""
    path = link("plugin.so", calls("Py_IsInitialized"))
    assert problems(read_image(path)) == ()
    assert refused(path) is None
    path = link("bare.so", calls("getpid"), "-nostdlib")
    assert problems(read_image(path)) == ()
    assert refused(path) is None


def test_a_library_of_a_library_has_it(link: Callable[..., Path]) -> None:
    """Whoever is loaded with the file counts, whoever asked for it."""
    link("libbase.so", defines("base"))
    link("libmiddle.so", defines("middle"), *ORIGIN, "-Wl,--no-as-needed", "-lbase")
    path = link("plugin.so", calls("base"), *ORIGIN, "-Wl,--no-as-needed", "-lmiddle")
    assert problems(read_image(path)) == ()
    assert refused(path) is None


def test_what_lies_beside_is_looked_at_too(link: Callable[..., Path]) -> None:
    """A library that comes with the plugin and lacks something is named as the one that does."""
    link("libbeside.so", calls("nobody_has_this"))
    flags = (*ORIGIN, "-Wl,--no-as-needed", "-lbeside", "-Wl,--allow-shlib-undefined")
    path = link("plugin.so", defines("mine"), *flags)
    said = problems(read_image(path))[0].what
    assert said == "needs libbeside.so, which needs a symbol that no library has: nobody_has_this"
    assert refused(path)


def test_a_missing_library_may_have_it(link: Callable[..., Path]) -> None:
    """Where a library is not found, only that is said."""
    lost = link("liblost.so", defines("lost"))
    path = link("plugin.so", calls("lost"), *ORIGIN, "-llost")
    lost.unlink()
    (problem,) = problems(read_image(path))
    assert "needs the library liblost.so" in problem.what


def test_an_old_version_serves(link: Callable[..., Path], tmp_path: Path) -> None:
    """A function that a newer library keeps for old files only (name@VERSION) is there for those."""
    (tmp_path / "old.map").write_text("V1 { global: old; };\n")
    link("libold.so", defines("old"), "-Wl,--version-script=old.map")
    path = link("plugin.so", calls("old"), *ORIGIN, "-lold")
    kept = '__asm__(".symver kept, old@V1");\n' + defines("kept")
    new = link("libold.so", kept, "-Wl,--version-script=old.map")
    assert "old" not in read_image(new).exports  # dlsym passes it over
    assert problems(read_image(path)) == ()
    assert refused(path) is None


def test_agrees_with_ldd(tool: Callable[..., str], link: Callable[..., Path]) -> None:
    """`ldd -r` finds the same symbols, in real libraries and in extension modules, which lack Python's."""
    ldd = tool("ldd")
    folders = ("/usr/lib/*-linux-*/*.so.*", "/usr/lib64/*.so.*", f"{os.path.dirname(os.__file__)}/lib-dynload/*.so")
    paths = sorted({os.path.realpath(path) for folder in folders for path in glob.glob(folder)})
    if glibc() == () or len(paths) < 10:
        pytest.skip("there are no libraries of glibc in the usual folders")
    lacking = 0
    for path in (*paths[:: max(len(paths) // 40, 1)], str(link("plugin.so", calls("nobody_has_this")))):
        image = read_image(path)
        if image.mismatch() is not None:
            continue
        loaded = [library.image for library in libraries(image)]
        others = [other for other in loaded if other is not None]
        if len(others) < len(loaded):
            continue
        done = subprocess.run([ldd, "-r", path], capture_output=True, text=True, check=False)
        told = re.findall(rf"undefined symbol: ([^\s,]+),?\s+\({re.escape(path)}", done.stdout + done.stderr)
        assert undefined(image, others) == sorted({name.partition("@")[0] for name in told}), path
        lacking += bool(told)
    assert lacking
