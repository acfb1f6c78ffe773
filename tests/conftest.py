"""Fixtures of all tests: plugins compiled on the spot, their contracts, Python in a process of its own.

A toolchain that is missing skips the tests that need it, with the reason; where CI is set, it fails them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import loader
from loader.author.sdk import include_dir, zig_dir
from loader.contract import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# For what lies beside the tests, which importlib mode does not make importable.
sys.path.insert(0, str(Path(__file__).resolve().parent))
import placements
from lending import Database
from tree import GREETER, PLUGINS, ROOT

SUFFIX = ".dll" if sys.platform == "win32" else ".so"  # tests/windows.sh
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")


# A shell starts what runs in the background with SIGINT ignored. So would be the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """What is remembered is in a folder of this session, not in the user's. Modules read headers when collected."""
    folder = tempfile.mkdtemp(prefix="loader-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    _keep_compilers_caches()
    os.environ["XDG_CACHE_HOME"] = folder
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Each of thousands of processes would compile the package again.
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")


def _keep_compilers_caches() -> None:
    """Go and Zig do not compile their libraries anew in each session, if they did before: their caches go by content.

    But Go's does not see headers outside of a package; so their digest is a flag, as in LoaderForeign.cmake.
    """
    if not sys.platform.startswith("linux"):
        return  # their caches are elsewhere, and stay there
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for name, folder in (("GOCACHE", "go-build"), ("ZIG_GLOBAL_CACHE_DIR", "zig")):
        if os.access(os.path.join(user, folder), os.W_OK):
            os.environ.setdefault(name, os.path.join(user, folder))
    headers = sorted(path for top in ("include", "native_plugins", "tests") for path in (ROOT / top).rglob("*.h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in headers)).hexdigest()[:16]
    os.environ["CGO_CFLAGS"] = f"{os.environ.get('CGO_CFLAGS') or '-O2 -g'} -DLOADER_TESTS_HEADERS=0x{digest}"


def _missing(tool: str) -> NoReturn:
    reason = f"{tool} is not installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _run(command: list[str], folder: Path, **variables: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        command, cwd=folder, env=environment | variables, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses `placement` runs in both, unless it is marked in_process."""
    if "placement" in metafunc.fixturenames:
        both = placements.available() and metafunc.definition.get_closest_marker("in_process") is None
        here = (placements.IN_PROCESS, placements.WORKER) if both else (placements.IN_PROCESS,)
        metafunc.parametrize("placement", here, indirect=True, scope="module")


@pytest.fixture(scope="module")
def placement(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where plugins are loaded that nobody says anything else of: "in-process", or "worker", isolated.

    A fixture of a module that loads a plugin takes this one as an argument, so that it is made anew for each.
    """
    restore = placements.isolate_by_default() if request.param == placements.WORKER else None
    yield request.param
    if restore is not None:
        restore()


@pytest.fixture(scope="session")
def tool() -> Callable[..., str]:
    """The path of the first of several programs that is there; skips the test if none is."""

    def find(*names: str) -> str:
        for name in names:
            found = shutil.which(name)
            if found is not None:
                return found
        _missing(" or ".join(names))

    return find


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory, tool: Callable[..., str]) -> Callable[..., Path]:
    """Compiles one source to a plugin, once a session for each variant, and returns its path.

    build("hostile.c", "GREET=writes_nothing", name="quiet", flags=["-lm"]) gives …/quiet.so. `source` is a
    file of tests/plugins or a path, `defines` are the compiler's -D, the language is that of the file's name.
    """
    top = tmp_path_factory.mktemp("plugins")
    # tests/sanitize.sh instruments the plugins as it does the extensions.
    sanitize = os.environ.get("LOADER_SANITIZE")
    extra = [f"-fsanitize={sanitize}", "-g"] if sanitize else []

    def compile_(
        source: str | Path,
        *defines: str,
        name: str | None = None,
        flags: list[str] | None = None,
        language: str | None = None,
    ) -> Path:
        path = PLUGINS / source
        language = language or {".c": "c", ".cpp": "c++"}[path.suffix]
        compiler = tool("c++", "g++", "clang++") if language == "c++" else tool("cc", "gcc", "clang")
        variant = [language, path.read_text(), *defines, "\0", *(flags or [])]
        folder = top / hashlib.sha256("\0".join(variant).encode()).hexdigest()[:16]
        target = folder / f"{name or path.stem}{SUFFIX}"
        if not target.exists():
            folder.mkdir(exist_ok=True)
            command = [compiler, "-x", language, str(path), "-x", "none"]
            command += ["-std=c++17" if language == "c++" else "-std=c11", "-O1", *WARNINGS, *extra]
            command += ["-fPIC", "-shared", "-fvisibility=hidden", "-pthread"]
            command += [f"-I{each}" for each in (include_dir(), PLUGINS, GREETER.parent)]
            command += [f"-D{each}" for each in defines]
            _run([*command, "-o", str(target), *(flags or [])], folder)
        return target

    return compile_


@pytest.fixture(scope="session")
def build_zig() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Compiles a plugin in Zig, by the system's zig or PyPI's.

    build_zig(plugin.zig, codec.zig, plugin.so): the first may import the second as `codec`, and the kit as `loader`.
    """
    zig = ["zig"] if shutil.which("zig") else [sys.executable, "-m", "ziglang"]
    if subprocess.run([*zig, "version"], capture_output=True, check=False).returncode != 0:
        _missing("zig")

    def compile_(source: Path, bindings: Path, target: Path) -> subprocess.CompletedProcess[str]:
        modules = ["--dep", bindings.stem, "--dep", "loader", f"-Mroot={source}"]
        modules += ["--dep", "loader", f"-M{bindings.stem}={bindings}", f"-Mloader={zig_dir() / 'loader.zig'}"]
        command = [*zig, "build-lib", "-dynamic", "-fPIC", "-ODebug", *modules, f"-femit-bin={target}"]
        command += ["--cache-dir", str(target.parent / "cache")]
        return subprocess.run(command, cwd=target.parent, capture_output=True, text=True, check=False)

    return compile_


@pytest.fixture(scope="session")
def rust_panics(tmp_path_factory: pytest.TempPathFactory, tool: Callable[..., str]) -> Path:
    """tests/plugins/panic_rust, built by cargo."""
    target = tmp_path_factory.mktemp("rust")
    command = [tool("cargo"), "build", "--release", "--offline", "--locked", "--target-dir", str(target)]
    _run(command, PLUGINS / "panic_rust")
    return target / "release" / "libpanic_rust.so"


@pytest.fixture(scope="session")
def rust_lock(tmp_path_factory: pytest.TempPathFactory, tool: Callable[..., str]) -> Path:
    """tests/plugins/lock_rust, built by cargo."""
    target = tmp_path_factory.mktemp("rust_lock")
    command = [tool("cargo"), "build", "--release", "--offline", "--locked", "--target-dir", str(target)]
    _run(command, PLUGINS / "lock_rust")
    return target / "release" / "liblock_rust.so"


@pytest.fixture(scope="session")
def go_panics(tmp_path_factory: pytest.TempPathFactory, tool: Callable[..., str]) -> Path:
    """tests/plugins/panic_go, built by go. Load it in a process of its own: its runtime stays for good."""
    target = tmp_path_factory.mktemp("go") / "panic_go.so"
    command = [tool("go"), "build", "-buildmode=c-shared", "-buildvcs=false", "-o", str(target), "."]
    _run(command, PLUGINS / "panic_go", CGO_ENABLED="1")
    return target


@pytest.fixture(scope="session")
def go_greeter(tmp_path_factory: pytest.TempPathFactory, tool: Callable[..., str]) -> Callable[..., Path]:
    """Builds the same source with the options of `go build` that it is given; `source` is added to it."""

    def build_go(*options: str, name: str = "built", source: str = "") -> Path:
        folder = tmp_path_factory.mktemp("go_source")
        for file in (PLUGINS / "panic_go").iterdir():
            text = file.read_text().replace("${SRCDIR}/../../..", str(ROOT)).replace("../../..", str(ROOT))
            (folder / file.name).write_text(text)
        if source:
            (folder / "more.go").write_text(source)
        target = folder / f"{name}.so"
        _run([tool("go"), "build", "-buildvcs=false", *options, "-o", str(target), "."], folder, CGO_ENABLED="1")
        return target

    return build_go


@pytest.fixture(scope="session")
def greeter() -> loader.Contract:
    """The contract of the Greeter, 1.0."""
    return loader.Contract.from_header(GREETER)


@pytest.fixture(scope="session")
def hello(build: Callable[..., Path]) -> Path:
    """The Greeter's plugin, a file."""
    return build(GREETER.with_name("hello.c"))


@pytest.fixture(scope="session")
def probe_contract() -> loader.Contract:
    """The contract of tests/plugins/probe.h."""
    return loader.Contract.from_header(PLUGINS / "probe.h")


@pytest.fixture(scope="session")
def probe_path(build: Callable[..., Path]) -> Path:
    """The plugin probe, a file."""
    return build("probe.c")


@pytest.fixture
def hidden(probe_path: Path, probe_contract: loader.Contract) -> loader.Plugin:
    """The plugin probe under a contract with a function `digest`, as no header can have it."""
    functions = (*probe_contract.functions, Function("digest", ()))
    return loader.load(probe_path, contract=dataclasses.replace(probe_contract, functions=functions))


@pytest.fixture
def probe(probe_path: Path, probe_contract: loader.Contract) -> loader.Plugin:
    """The plugin probe, bound anew."""
    return loader.load(probe_path, contract=probe_contract)


@pytest.fixture
def another_thread() -> Iterator[None]:
    """A second Python thread is there, so calls let the GIL go."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture(params=["GIL kept", "GIL released"])
def gil(request: pytest.FixtureRequest) -> None:
    """Runs a test twice: calls let the GIL go because there is another thread, or keep it."""
    if request.param == "GIL released":
        request.getfixturevalue("another_thread")


@pytest.fixture
def together() -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Runs work(0), work(1), … in that many threads; their results, or the first exception."""

    def run_all(count: int, work: Callable[[int], Any]) -> list[Any]:
        results: list[Any] = [None] * count
        errors: list[BaseException] = []

        def run(number: int) -> None:
            try:
                results[number] = work(number)
            except BaseException as error:  # noqa: BLE001  raised below
                errors.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return results

    return run_all


@pytest.fixture(scope="session")
def lend_contract() -> loader.Contract:
    """The contract of tests/plugins/lend.h."""
    return loader.Contract.from_header(PLUGINS / "lend.h")


@pytest.fixture(scope="session")
def lend_path(build: Callable[..., Path]) -> Path:
    """The plugin lend, a file."""
    return build("lend.c")


@pytest.fixture
def database() -> Database:
    """A fresh database."""
    return Database()


@pytest.fixture
def lent(lend_path: Path, lend_contract: loader.Contract) -> Callable[..., loader.Plugin]:
    """Loads the plugin lend, in a host of its own, with a database and a clock or without."""

    def make(db: Any = None, clock: Any = None, **options: Any) -> loader.Plugin:
        given = {"lend.db/1": db, "lend.clock/2": clock}
        host = loader.Host(lend_contract, services={k: v for k, v in given.items() if v is not None}, **options)
        return host.load(lend_path)

    return make


@pytest.fixture
def contract_of(tmp_path: Path) -> Callable[..., loader.Contract]:
    """Makes a contract of name, version and declarations."""

    def make(name: str, major: int, minor: int, *declarations: str) -> loader.Contract:
        header = tmp_path / f"{name}_{major}_{minor}.h"
        lines = ['#include "loader/plugin.h"', f"LOADER_CONTRACT({name}, {major}, {minor});", *declarations]
        header.write_text("\n".join(lines) + "\n")
        return loader.Contract.from_header(header)

    return make


@pytest.fixture
def sentinel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which constructors of hostile.c leave a line."""
    path = tmp_path / "sentinel"
    monkeypatch.setenv("LOADER_TEST_SENTINEL", str(path))
    return path


@pytest.fixture
def run_python(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in a Python of its own, with the `loader` under test, and asserts that it ends well.

    The program is a file, so that multiprocessing can import it. Its plugins are where the test's are.
    """
    called = getattr(request.node, "callspec", None)
    beside = [] if called is None else placements.python_path(called.params.get("placement", ""))

    def run(
        code: str, *arguments: str | Path, flags: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "program.py"
        script.write_text(code)
        path = os.pathsep.join([*beside, str(Path(loader.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, *flags, str(script), *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": path.rstrip(os.pathsep), **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def memory_limit() -> None:
    """Skips the test where a process may take more memory than it may: under qemu-user, which lets RLIMIT_AS be."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28)); bytearray(1 << 30)"
    if subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0:
        pytest.skip("RLIMIT_AS limits nothing here, as under qemu-user")


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that everybody may enter, and for the length of the test a user who may not do everything."""
    if not hasattr(os, "geteuid"):
        pytest.skip("users here are not those of POSIX")
    folder = Path(tempfile.mkdtemp(prefix="loader-test-"))
    folder.chmod(0o755)
    root = os.geteuid() == 0
    try:
        with contextlib.ExitStack() as stack:
            if root:
                os.chown(folder, 65534, 65534)
                os.seteuid(65534)
                stack.callback(os.seteuid, 0)
            yield folder
    finally:
        for path in folder.rglob("*"):
            path.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cmake_build(request: pytest.FixtureRequest, tool: Callable[..., str]) -> Path:
    """CMake's build folder of this repository's native plugins, configured as where there is no Python."""
    build = request.config.rootpath / "build" / "tests"
    command = [tool("cmake"), "-S", str(ROOT), "-B", str(build), "-DLOADER_PYTHON=OFF"]
    if not (build / "CMakeCache.txt").exists() and shutil.which("ninja"):
        command += ["-G", "Ninja"]
    if shutil.which("zig") is None:
        command.append(f"-DZIG_EXECUTABLE={sys.executable};-m;ziglang")
    _run(command, ROOT)
    return build


@pytest.fixture(scope="session")
def native_plugins(cmake_build: Path, tool: Callable[..., str]) -> Path:
    """The folder of this repository's htmlize plugins in four languages."""
    tool("cargo")
    tool("go")
    _run([tool("cmake"), "--build", str(cmake_build), "--parallel", "2"], ROOT)
    return cmake_build / "plugins" / "htmlize"


@pytest.fixture(scope="session")
def posts_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database of posts, as an application has it."""
    path = tmp_path_factory.mktemp("posts") / "posts.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")
        rows = [(7, "Sphinx"), (42, "Pie & <tart>"), (43, "Über alles gern")]
        connection.executemany("INSERT INTO posts VALUES (?, ?)", rows)
    return path
