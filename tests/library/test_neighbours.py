"""loader/library/pinned.py, sealed.py, library.mappings: what a plugin needs from beside it, where code is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER, PLUGINS

import loader
from loader.errors import LibraryError, TrustError
from loader.library import mappings
from loader.trust import Policy
from loader.trust.identity import identify
from loader.trust.lockfile import LockFile

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="$ORIGIN and memory files")


@pytest.fixture
def needy(build: Build, tmp_path: Path) -> Callable[..., Path]:
    """Makes a plugin in a folder and, in lib/ below it, the library that it needs."""

    def make(folder: str, *, rpath: str = "$ORIGIN/lib", soname: str, answer: int, named: bool = True) -> Path:
        place = tmp_path / folder / "lib"
        place.mkdir(parents=True, mode=0o755)
        for each in (tmp_path, place.parent, place):
            each.chmod(0o755)
        flags = [f"-Wl,-soname,{soname}"] if named else []
        neighbour = build("neighbour.c", f"ANSWER={answer}", flags=flags, name=Path(soname).stem)
        shutil.copy(neighbour, place / soname)
        flags = [f"-L{place}", f"-l:{soname}", f"-Wl,-rpath,{rpath}"]
        plugin = build("hostile.c", "NEEDS=neighbour", "GREET=asks_neighbour", f"BUILD={answer}", flags=flags)
        return Path(shutil.copy(plugin, place.parent / "needy.so"))

    return make


def lock_of(path: Path, *files: Path) -> Path:
    """A lock file that names some files."""
    lock = LockFile(str(path))
    for file in files:
        image = loader.read_image(file)
        lock = lock.add(identify(image), file=image.path, size=image.size)
    lock.write()
    return path


# ---- Neighbours --------------------------------------------------------------------------------------------


def test_neighbour_must_be_locked_too(
    needy: Callable[..., Path], greeter: loader.Contract, tmp_path: Path, sentinel: Path
) -> None:
    """A library from beside the plugin passes the same policy, before any code of either runs."""
    plugin = needy("a", soname="liblocked.so", answer=4001)
    beside = plugin.parent / "lib" / "liblocked.so"
    alone = lock_of(tmp_path / "alone.lock", plugin)
    with pytest.raises(TrustError, match="is not in the lock file") as caught:
        loader.load(plugin, contract=greeter, policy=Policy(lock=alone))
    assert caught.value.path == str(beside)
    assert not sentinel.exists()
    both = lock_of(tmp_path / "both.lock", plugin, beside)
    good = beside.read_bytes()
    beside.write_bytes(good + b"x")
    with pytest.raises(TrustError, match="is not the file that is locked"):
        loader.load(plugin, contract=greeter, policy=Policy(lock=both))
    assert not sentinel.exists()
    beside.write_bytes(good)
    loaded = loader.load(plugin, contract=greeter, policy=Policy(lock=both))
    assert loaded.greet("") == "neighbour says 4001"
    with pytest.raises(TrustError, match="is not in the lock file"):  # it is loaded, but not for everybody
        loader.load(plugin, contract=greeter, policy=Policy(lock=alone))


def test_neighbours_permissions(needy: Callable[..., Path], greeter: loader.Contract) -> None:
    """A library beside the plugin that others can change is refused under a policy of permissions."""
    plugin = needy("b", soname="libwritable.so", answer=4002)
    beside = plugin.parent / "lib" / "libwritable.so"
    plugin.chmod(0o755)
    beside.chmod(0o777)
    with pytest.raises(TrustError, match="chmod go-w") as caught:
        loader.load(plugin, contract=greeter, policy=Policy(permissions=True))
    assert caught.value.path == str(beside)


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_library_in_a_named_folder(
    needy: Callable[..., Path], greeter: loader.Contract, tmp_path: Path, mode: int
) -> None:
    """A library that the linker takes from an absolute runpath is held to a policy of permissions as well."""
    folder = tmp_path / "c" / "lib"
    plugin = needy("c", rpath=str(folder), soname="libabsolute.so", answer=4003)
    plugin.chmod(0o755)
    (folder / "libabsolute.so").chmod(mode)
    if mode == 0o777:
        with pytest.raises(TrustError, match="chmod go-w"):
            loader.load(plugin, contract=greeter, policy=Policy(permissions=True))
    else:
        loaded = loader.load(plugin, contract=greeter, policy=Policy(permissions=True))
        assert loaded.greet("") == "neighbour says 4003"


@pytest.mark.parametrize("rpath", ["lib", ".", ":/nowhere"])
def test_folder_relative_to_the_current_one(needy: Callable[..., Path], greeter: loader.Contract, rpath: str) -> None:
    """A runpath that means the current folder is refused under any policy that asks for something."""
    plugin = needy("d", rpath=rpath, soname="librelative.so", answer=4004)
    plugin.chmod(0o755)
    with pytest.raises(TrustError, match="in the current folder"):
        loader.load(plugin, contract=greeter, policy=Policy(permissions=True))


def test_two_libraries_of_one_name(run_python: Run, needy: Callable[..., Path]) -> None:
    """Two plugins with different libraries of one name: each gets its own, in whichever order they come."""
    first = needy("e", soname="libsame.so", answer=1)
    second = needy("f", soname="libsame.so", answer=2)
    code = """
import sys, loader
greeter = loader.Contract.from_header(sys.argv[3])
plugins = [loader.load(path, contract=greeter) for path in (sys.argv[1:3])]
print([plugin.greet("") for plugin in plugins])
"""
    for several in ((first, second), (second, first)):
        expected = str([f"neighbour says {1 if each == first else 2}" for each in several])
        assert run_python(code, *several, GREETER).stdout.strip() == expected


def test_library_without_a_name(needy: Callable[..., Path], greeter: loader.Contract) -> None:
    """A library that does not say its name is found by its file's name, as the dynamic linker would find it."""
    plugin = needy("g", soname="libnameless.so", answer=4007, named=False)
    assert loader.load(plugin, contract=greeter).greet("") == "neighbour says 4007"


def test_damaged_neighbour(needy: Callable[..., Path], greeter: loader.Contract) -> None:
    """A library that cannot be read is named, with the plugin that needs it."""
    plugin = needy("h", soname="libdamaged.so", answer=4008)
    (plugin.parent / "lib" / "libdamaged.so").write_bytes(b"\x7fELF and no more")
    with pytest.raises(LibraryError, match=r"needs the library libdamaged\.so, which cannot be read") as caught:
        loader.load(plugin, contract=greeter)
    assert caught.value.path == str(plugin)


def test_neighbour_runs_from_checked_bytes(needy: Callable[..., Path], greeter: loader.Contract) -> None:
    """A library beside the plugin is mapped from a memory file too."""
    plugin = needy("i", soname="libsealed.so", answer=4009)
    loader.load(plugin, contract=greeter)
    maps = Path("/proc/self/maps").read_text(errors="replace")  # other tests load files with names of any bytes
    assert "/memfd:libsealed.so" in maps
    assert str(plugin.parent) not in maps


def test_neighbour_that_was_opened_without_its_way(
    run_python: Run, needy: Callable[..., Path], build: Build, tmp_path: Path
) -> None:
    """A library that was opened as a plugin, whose folders nobody asked about, is judged where it is a neighbour."""
    plugin = needy("j", soname="libboth.so", answer=4010)
    beside = plugin.parent / "lib" / "libboth.so"
    sources = [PLUGINS / name for name in ("hostile.c", "neighbour.c")]
    (tmp_path / "both.c").write_text("".join(f'#include "{source}"\n' for source in sources))
    flags = ["-Wl,-soname,libboth.so"]
    both = build(tmp_path / "both.c", "BUILD=4011", "ANSWER=4011", flags=flags, name="libboth")
    shutil.copy(both, beside)
    for each in (plugin, beside):
        each.chmod(0o755)
    done = run_python(
        """
import os, sys, loader
plugin, beside, header = sys.argv[1:]
greeter = loader.Contract.from_header(header)
strict = loader.Policy(permissions=True)
loader.load(beside, contract=greeter)
for policy in (None, strict, strict):
    print(loader.load(plugin, contract=greeter, policy=policy).greet(""))
""",
        plugin,
        beside,
        GREETER,
    )
    assert done.stdout == "neighbour says 4011\n" * 3


def test_copies_are_sealed(needy: Callable[..., Path], greeter: loader.Contract) -> None:
    """The memory files of a plugin and its neighbour refuse to be written to, cut off, extended and unsealed."""
    import fcntl

    plugin = needy("k", soname="libclosed.so", answer=4012)
    loader.load(plugin, contract=greeter)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    sealed = set()
    for number in os.listdir("/proc/self/fd"):
        link = f"/proc/self/fd/{number}"
        name = os.readlink(link) if os.path.lexists(link) else ""  # that of listdir itself is gone
        if name not in ("/memfd:libclosed.so (deleted)", "/memfd:needy.so (deleted)"):
            continue
        sealed.add(name)
        assert fcntl.fcntl(int(number), fcntl.F_GET_SEALS) == seals
        with pytest.raises(PermissionError):
            os.ftruncate(int(number), 0)
        with pytest.raises(PermissionError):
            os.pwrite(int(number), b"x", 0)
    assert len(sealed) == 2


# ---- Where code is -----------------------------------------------------------------------------------------


def test_mappings(build: Build, greeter: loader.Contract) -> None:
    """Every address of a plugin is known with its file, its bytes, and where in them it is."""
    path = build("hostile.c", "BUILD=4100", name="mapped")
    plugin = loader.load(path, contract=greeter)
    found = [each for each in mappings() if each.path == str(path)]
    (mapping,) = (each for each in found if each.begin <= plugin.greet.__self__.address < each.end)
    assert mapping.library.image.digest == plugin.digest
    assert mapping.offset < path.stat().st_size
    assert [each.begin for each in found] == sorted(each.begin for each in found)


def test_debugger_finds_the_file(build: Build, tool: Callable[..., str], tmp_path: Path) -> None:
    """The path that gdb is given leads, from its own process, to the plugin's bytes with their symbols."""
    gdb = tool("gdb")
    path = build("hostile.c", "BUILD=4101", name="debugged", flags=["-g"])
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, loader\n"
        "loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))\n"
        "os.kill(os.getpid(), 5)\n"
    )
    command = [
        gdb,
        "-q",
        "-nx",
        "-batch",
        "-ex",
        "run",
        "-ex",
        "info sharedlibrary",
        "-ex",
        "info address greet",
    ]
    command += ["--args", sys.executable, str(program), str(path), str(GREETER)]
    environment = os.environ | {"PYTHONPATH": str(Path(loader.__file__).parent.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    if "ptrace" in done.stderr:
        pytest.skip("this machine does not allow debuggers")
    assert 'Symbol "greet" is a function' in done.stdout, done.stdout + done.stderr


# ---- Systems without memory files --------------------------------------------------------------------------


def test_private_copy(run_python: Run, build: Build, tmp_path: Path) -> None:
    """Without memory files a copy in a folder of this user's is loaded; it goes at the end."""
    path = Path(shutil.copy(build("hostile.c", "BUILD=4200"), tmp_path / "copied.so"))
    done = run_python(
        """
import os, sys
del os.memfd_create
import loader, loader.library
greeter = loader.Contract.from_header(sys.argv[2])
plugin = loader.load(sys.argv[1], contract=greeter)
with open(sys.argv[1], "r+b") as file:
    file.truncate(100)
assert plugin.greet("x") == "Hello, x!"
(mapping, *_) = loader.library.mappings()
assert mapping.path == sys.argv[1]
maps = open("/proc/self/maps", errors="replace")
names = {line.split(maxsplit=5)[5].strip() for line in maps if "copied.so" in line}
(name,) = names
assert plugin.digest in name and name != sys.argv[1]
folder = os.path.dirname(os.path.dirname(name))
assert os.stat(folder).st_mode & 0o777 == 0o700
print(folder)
""",
        path,
        GREETER,
    )
    assert not Path(done.stdout.strip()).exists()
