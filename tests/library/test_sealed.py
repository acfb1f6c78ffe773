"""loader/library/sealed.py, _core/library: the reasons why there is no copy, what serves instead, descriptors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import EMULATED, GREETER

import loader
from loader.errors import LoaderError, PluginNotFound

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory files are Linux's")
filters = pytest.mark.skipif(EMULATED, reason="qemu-user has no filters of system calls")

#: Begins programs: forbids a system call from here on, as a sandbox does; it fails with an errno.
FORBID = """
import ctypes, struct
def forbid(call, error):
    libc = ctypes.CDLL(None, use_errno=True)
    line = lambda *parts: struct.pack("HBBI", *parts)
    program = ctypes.create_string_buffer(
        line(32, 0, 0, 0) + line(21, 0, 1, call) + line(6, 0, 0, 0x50000 + error) + line(6, 0, 0, 0x7fff0000))
    class Filter(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("lines", ctypes.c_void_p)]
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(Filter(4, ctypes.addressof(program))), 0, 0) == 0
MEMFD_CREATE = {"x86_64": 319, "aarch64": 279}[__import__("os").uname().machine]
"""
LOAD = """
import os, sys, loader
contract = loader.Contract.from_header(sys.argv[2])
"""


# ---- Sandboxes ---------------------------------------------------------------------------------------------


@filters
@pytest.mark.parametrize("error", [1, 13, 38])
@pytest.mark.parametrize("policy", ["None", "loader.Policy(permissions=True)"])
def test_memory_files_forbidden(run_python: Run, hello: Path, tmp_path: Path, error: int, policy: str) -> None:
    """A private copy serves, under a policy too; nothing is left of it, not even after kill -9."""
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    plugin = shutil.copy(hello, mine / "hello.so")
    temporary = tmp_path / "tmp"
    temporary.mkdir(mode=0o700)
    done = run_python(
        f"""{FORBID}{LOAD}
forbid(MEMFD_CREATE, {error})
plugin = loader.load(sys.argv[1], contract=contract, policy={policy})
assert plugin.greet("you") == "Hello, you!"
(folder,) = os.listdir(sys.argv[3])
print(os.listdir(os.path.join(sys.argv[3], folder)))
""",
        plugin,
        GREETER,
        temporary,
        TMPDIR=str(temporary),
    )
    assert done.stdout == "[]\n"
    assert os.listdir(temporary) == []


@filters
def test_a_copy_that_others_could_change(run_python: Run, hello: Path, tmp_path: Path) -> None:
    """Where TMPDIR is a folder in which everybody may rename, a policy refuses the private copy; none does not."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    done = run_python(
        f"""{FORBID}{LOAD}
forbid(MEMFD_CREATE, 1)
try:
    loader.load(sys.argv[1], contract=contract, policy=loader.Policy(permissions=True))
except loader.TrustError as error:
    print(error)
assert loader.load(sys.argv[1], contract=contract).greet("you") == "Hello, you!"
""",
        hello,
        GREETER,
        TMPDIR=str(open_to_all),
    )
    assert f"expected {open_to_all} writable by its owner only" in done.stdout


@filters
def test_neither_memory_nor_folder(run_python: Run, hello: Path, tmp_path: Path) -> None:
    """Where both are forbidden the message names both."""
    done = run_python(
        f"""{FORBID}{LOAD}
import tempfile
tempfile.tempdir = sys.argv[3]
forbid(MEMFD_CREATE, 38)
try:
    loader.load(sys.argv[1], contract=contract)
except loader.LibraryError as error:
    print(error)
""",
        hello,
        GREETER,
        tmp_path / "nowhere",
    )
    assert "memfd_create): Function not implemented" in done.stdout
    assert "nowhere" in done.stdout
    assert "TMPDIR" in done.stdout


def test_no_proc(run_python: Run, hello: Path, tmp_path: Path) -> None:
    """Without /proc the private copy serves."""
    if os.getuid() != 0:
        pytest.skip("only root can take /proc away from a process")
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    shutil.copy(hello, root / "hello.so")
    done = run_python(
        f"""{LOAD}
import shutil, tempfile, atexit, random, loader.load, loader.host
loader.Policy, loader.load
os.environ.pop("TMPDIR", None)
os.chroot(sys.argv[1])
os.chdir("/")
print(loader.load("/hello.so", contract=contract).greet("you"))
""",
        root,
        GREETER,
    )
    assert done.stdout == "Hello, you!\n"


# ---- Limits ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def many(hello: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 1,100 different plugins."""
    folder = tmp_path_factory.mktemp("many")
    data = hello.read_bytes()
    for number in range(1100):
        (folder / f"p{number}.so").write_bytes(data + b"%d" % number)
    return folder


def test_more_plugins_than_open_files(run_python: Run, many: Path) -> None:
    """Plugins need no descriptor each: 300 load where 64 files may be open."""
    done = run_python(
        f"""{LOAD}
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
plugins = [loader.load(f"{{sys.argv[1]}}/p{{number}}.so", contract=contract) for number in range(300)]
assert all(plugin.greet(str(number)) == f"Hello, {{number}}!" for number, plugin in enumerate(plugins))
assert len({{plugin.functions["greet"].__self__.address for plugin in plugins}}) == 300
print(len(os.listdir("/proc/self/fd")))
""",
        many,
        GREETER,
    )
    assert int(done.stdout) < 20


@pytest.mark.parametrize("limit", [1024, 20000])
def test_low_descriptors_stay_free(run_python: Run, many: Path, limit: int) -> None:
    """After 1,100 plugins `select` still gets descriptors that it can take."""
    done = run_python(
        f"""{LOAD}
import resource, select
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min({limit}, hard), hard))
plugins = [loader.load(f"{{sys.argv[1]}}/p{{number}}.so", contract=contract) for number in range(1100)]
pipes = [os.pipe() for _ in range(300)]
assert max(map(max, pipes)) < 1024
print(len({{plugin.greet.__self__.address for plugin in plugins}}), select.select([pipes[-1][0]], [], [], 0))
""",
        many,
        GREETER,
    )
    assert done.stdout == "1100 ([], [], [])\n"


def test_numbers_that_are_used_again(run_python: Run, many: Path) -> None:
    """Whatever descriptors the application closes meanwhile, as daemons do, each file is the library it says."""
    done = run_python(
        f"""{LOAD}
seen = set()
for number in range(40):
    plugin = loader.load(f"{{sys.argv[1]}}/p{{number}}.so", contract=contract)
    seen.add(plugin.functions["greet"].__self__.address)
    if number % 2:
        os.closerange(3, 5000)
print(len(seen))
""",
        many,
        GREETER,
    )
    assert done.stdout == "40\n"


@pytest.mark.parametrize("free", [0, 1, 2])
def test_too_many_open_files(run_python: Run, hello: Path, free: int) -> None:
    """With none, one and two descriptors left it loads, or the reason and its cure are the true ones."""
    done = run_python(
        f"""{LOAD}
import resource
def load():
    return loader.load(sys.argv[1], contract=contract)
loader.load, loader.LoaderError
number = os.dup(0)
resource.setrlimit(resource.RLIMIT_NOFILE, (number + {free}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
os.close(number)
if {free} == 0:
    os.set_inheritable(0, True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    print(load().greet("you"))
except loader.LoaderError as error:
    print(error)
""",
        hello,
        GREETER,
    )
    if done.stdout != "Hello, you!\n":
        assert "Too many open files" in done.stdout
        assert "ulimit -n" in done.stdout
        assert "needs the library" not in done.stdout


def test_a_needed_library_and_open_files(run_python: Run, build: Build, tmp_path: Path) -> None:
    """It is there: that it cannot be opened is said, not that it is to be installed."""
    library = build("neighbour.c", "ANSWER=9017", flags=["-Wl,-soname,libfar.so"])
    (tmp_path / "far").mkdir()
    shutil.copy(library, tmp_path / "far" / "libfar.so")
    flags = [f"-L{tmp_path}/far", "-l:libfar.so"]
    plugin = build("hostile.c", "NEEDS=neighbour", "GREET=asks_neighbour", "BUILD=9018", flags=flags)
    done = run_python(
        f"""{LOAD}
import resource
try:  # all modules that it needs are there then
    loader.load(sys.argv[3], contract=contract)
except loader.LibraryError:
    pass
number = os.dup(0)
os.close(number)
resource.setrlimit(resource.RLIMIT_NOFILE, (number + 2, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    print(loader.load(sys.argv[1], contract=contract).greet("x"))
except loader.LibraryError as error:
    print(error)
""",
        plugin,
        GREETER,
        build("hostile.c", "NEEDS=nobody", "GREET=asks_neighbour", "BUILD=9019"),
        LD_LIBRARY_PATH=str(tmp_path / "far"),
    )
    if "Too many" in done.stdout:
        assert "Install" not in done.stdout
        assert "ulimit -n" in done.stdout


def test_paths_that_are_too_long(greeter: loader.Contract, tmp_path: Path) -> None:
    """A name or a path that is longer than the system takes is what is said of it, by every way."""
    for path in (tmp_path / ("x" * 300 + ".so"), Path(str(tmp_path) + "/y" * 3000 + ".so")):
        with pytest.raises(PluginNotFound, match="has a path that is too long for the system"):
            loader.load(path, contract=greeter)
        (found,) = loader.discover(path, contract=greeter)
        assert "too long" in str(found.error)
        host = loader.Host(greeter)
        host.load_all(path)
        assert "too long" in str(host.failures[0])


def test_a_folder_that_may_not_be_entered(unprivileged: Path, greeter: loader.Contract) -> None:
    """What cannot be looked at is not said to be missing."""
    folder = unprivileged / "closed"
    folder.mkdir()
    (folder / "p.so").write_bytes(b"\x7fELF")
    folder.chmod(0)
    host = loader.Host(greeter)
    host.load_all(folder / "p.so")
    (failure,) = host.failures
    assert "Permission denied" in str(failure)
    assert isinstance(failure, LoaderError)


def test_a_name_of_the_longest(hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """255 bytes of name, and a path near the system's limit, load."""
    deep = tmp_path
    while len(str(deep)) < 3500:
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)
    path = shutil.copy(hello, deep / ("n" * 252 + ".so"))
    assert loader.load(path, contract=greeter).greet("you") == "Hello, you!"
