"""loader/library.py: what runs is what was checked, and nothing is found by accident."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tree import GREETER

import loader
from loader._core._ffi import ffi
from loader.errors import LibraryError
from loader.image import read_bytes
from loader.library import Library, open_library, owner_of
from loader.library.opened import libraries, mappings
from loader.trust import Policy, trust
from loader.trust.handshake import shake_hands

Build = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

HEADER = GREETER
linux = pytest.mark.skipif(sys.platform != "linux", reason="memory files are Linux's")


def opened(path: Path, contract: loader.Contract) -> loader.library.Library:
    """The library of a file, by all stages."""
    image = loader.read_image(path)
    return open_library(trust(shake_hands(image, contract), Policy()), owner_of(image))


def test_same_path_new_file(build: Build, greeter: loader.Contract, tmp_path: Path) -> None:
    """A plugin rebuilt at the same path is loaded anew, and the old one goes on as it was."""
    path = tmp_path / "greeter.so"
    shutil.copy(build("hostile.c", "GREET=greets_with_build", "BUILD=1"), path)
    old = loader.load(path, contract=greeter)
    shutil.copy(build("hostile.c", "GREET=greets_with_build", "BUILD=2"), path)
    new = loader.load(path, contract=greeter)
    assert (old.greet("you"), new.greet("you")) == ("1 greets you", "2 greets you")
    assert old.path == new.path
    assert old.digest != new.digest


@linux
def test_file_cut_off_after_loading(run_python: Run, build: Build, tmp_path: Path) -> None:
    """Truncating, overwriting or removing the file of a loaded plugin does it no harm."""
    path = tmp_path / "greeter.so"
    shutil.copy(build("hostile.c", "BUILD=3"), path)
    done = run_python(
        """
import os, sys, loader
path, header = sys.argv[1:]
plugin = loader.load(path, contract=loader.Contract.from_header(header))
with open(path, "r+b") as file:
    file.truncate(100)
assert plugin.greet("a") == "Hello, a!"
with open(path, "wb") as file:
    file.write(b"x" * 100000)
assert plugin.greet("b") == "Hello, b!"
os.unlink(path)
print(plugin.greet("c"))
""",
        path,
        HEADER,
    )
    assert done.stdout == "Hello, c!\n"


def test_same_bytes_share_one_library(build: Build, greeter: loader.Contract, tmp_path: Path, sentinel: Path) -> None:
    """The same bytes, from whichever path, are one library: constructors run once."""
    first = build("hostile.c", "BUILD=4")
    second = tmp_path / "copy.so"
    shutil.copy(first, second)
    a, b = loader.load(first, contract=greeter), loader.load(second, contract=greeter)
    assert a.greet.__self__.address == b.greet.__self__.address
    assert (a.name, b.name) == ("hostile", "copy")
    assert opened(first, greeter) is opened(second, greeter)
    assert sentinel.read_text().count("ran") == 1


def test_bytes_are_not_kept(hello: Path, greeter: loader.Contract, tmp_path: Path) -> None:
    """A library's facts stay for life, the bytes of its file do not, unless they are few."""
    path = tmp_path / "large.so"
    path.write_bytes(hello.read_bytes() + b"\0" * 300_000)
    plugin = loader.load(path, contract=greeter)
    image = opened(path, greeter).image
    assert (image.digest, image.size, image.data) == (plugin.digest, path.stat().st_size, b"")


@linux
def test_runs_from_a_sealed_memory_file(build: Build, greeter: loader.Contract) -> None:
    """What is mapped is a memory file of the plugin's name, which nobody can write to or cut off."""
    path = build("hostile.c", "BUILD=5", name="sealed_plugin")
    plugin = loader.load(path, contract=greeter)
    maps = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
    held = [entry for entry in maps if len(entry) == 6 and "/memfd:sealed_plugin.so" in entry[5]]
    assert held
    begin, end = (
        min(int(e[0].split("-")[0], 16) for e in held),
        max(int(e[0].split("-")[1], 16) for e in held),
    )
    assert begin <= plugin.greet.__self__.address < end
    assert not [entry for entry in maps if len(entry) == 6 and entry[5].startswith(str(path))]
    numbers = [fd for fd in os.listdir("/proc/self/fd") if "sealed_plugin" in _target(fd)]
    assert len(numbers) == 1
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(int(numbers[0]), 10)
    with pytest.raises(OSError, match="not permitted"):
        os.pwrite(int(numbers[0]), b"x", 0)
    assert not os.get_inheritable(int(numbers[0]))


def _target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:  # the one of listdir itself
        return ""


@linux
def test_descriptors_closed_by_someone_else(run_python: Run, build: Build) -> None:
    """An application that closes all descriptors, as daemons do, still gets the plugin it asks for next."""
    paths = [build("hostile.c", "GREET=greets_with_build", f"BUILD={number}") for number in (6, 7, 8)]
    done = run_python(
        """
import os, sys, loader
greeter = loader.Contract.from_header(sys.argv[1])
plugins = []
for path in sys.argv[2:]:
    plugins.append(loader.load(path, contract=greeter))
    os.closerange(3, 1000)
print([plugin.greet("x") for plugin in plugins])
""",
        HEADER,
        *paths,
    )
    assert done.stdout == "['6 greets x', '7 greets x', '8 greets x']\n"


@linux
def test_refused_library_leaves_no_descriptor(build: Build, greeter: loader.Contract) -> None:
    """A file that the linker refuses does not leave its memory file behind, however often it is tried."""
    path = build("hostile.c", "NEEDS=nobody_has_this", "GREET=asks_neighbour")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(LibraryError):
            loader.load(path, contract=greeter)
    assert len(os.listdir("/proc/self/fd")) == before


#: What keeps a file from being copied to memory, as Python; what is said of it; the cure.
OBSTACLES = {
    "no descriptor": (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))",
        (
            "no memory file for its checked copy (memfd_create); found Too many open files. "
            "Raise the limit on open files (ulimit -n), or close some"
        ),
    ),
    "too large": (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))",
        (
            "its checked copy would be larger than this process may write files; found File too large. "
            "Raise the limit on the size of files (ulimit -f)"
        ),
    ),
    "no /proc, nor a folder": (
        "os.chroot(folder)",
        (
            "its checked copy could not be written; found No module named 'shutil'; its checked copy cannot be "
            "opened from memory, by its path in /proc: No such file or directory. "
            "Let TMPDIR name a folder that this user can write to"
        ),
    ),
}


@linux
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_file_that_cannot_be_copied(run_python: Run, hello: Path, tmp_path: Path, obstacle: str) -> None:
    """The step that failed is named, with what mends it, and no descriptor stays open."""
    if obstacle == "no /proc, nor a folder" and os.getuid() != 0:
        pytest.skip("only root can take /proc away from a process")
    act, said = OBSTACLES[obstacle]
    done = run_python(
        f"""
import os, resource, sys
import loader
from loader.trust.handshake import shake_hands
from loader.library import open_library, owner_of
from loader.trust import DEFAULT_POLICY, trust
folder, greeter = sys.argv[2], loader.Contract.from_header(sys.argv[3])
trusted = trust(shake_hands(loader.read_image(sys.argv[1]), greeter), DEFAULT_POLICY)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
free = os.dup(0)
os.close(free)
{act}
try:
    open_library(trusted, owner_of(trusted.candidate.image))
except loader.LibraryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
assert os.dup(0) == free
""",
        hello,
        tmp_path,
        HEADER,
    )
    assert done.stdout == f"{hello}: {said}\n"


@pytest.fixture
def neighbours(build: Build, tmp_path: Path) -> Path:
    """A folder lib/ with libneighbour.so in it, to be found from its parent by $ORIGIN/lib."""
    folder = tmp_path / "lib"
    folder.mkdir()
    shutil.copy(build("neighbour.c", "ANSWER=17", flags=["-Wl,-soname,libneighbour.so"]), folder / "libneighbour.so")
    return folder


@pytest.mark.parametrize("origin", ["$ORIGIN", "${ORIGIN}"])
@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_neighbour_is_found(
    run_python: Run, build: Build, neighbours: Path, tmp_path: Path, origin: str, tags: str
) -> None:
    """A library in a folder named relative to the plugin ($ORIGIN) is found, though it runs from memory."""
    flags = [f"-L{neighbours}", "-lneighbour", f"-Wl,{tags},-rpath,{origin}/lib"]
    path = tmp_path / "needy.so"
    shutil.copy(build("hostile.c", "NEEDS=neighbour", "GREET=asks_neighbour", flags=flags), path)
    done = run_python(
        "import sys, loader\n"
        "print(loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2])).greet(''))",
        path,
        HEADER,
    )
    assert done.stdout == "neighbour says 17\n"


def test_missing_dependency(build: Build, greeter: loader.Contract, neighbours: Path, sentinel: Path) -> None:
    """A library that is not there: the message names it, the plugin that needs it, and what to do."""
    flags = [f"-L{neighbours}", "-lneighbour", "-Wl,-soname,x.so"]
    path = build("hostile.c", "NEEDS=neighbour", "GREET=asks_neighbour", flags=flags)
    with pytest.raises(LibraryError) as caught:
        loader.load(path, contract=greeter)
    text = str(caught.value)
    assert caught.value.what == "needs the library libneighbour.so, which is not found"
    assert text.startswith(f"{path}: ")
    assert "Install libneighbour.so" in text
    assert "/proc/self/fd" not in text
    assert "find_library" not in text
    assert not sentinel.exists()


def test_undefined_symbol(build: Build, greeter: loader.Contract, sentinel: Path) -> None:
    """A symbol that nobody defines: found when loading, not when calling, and named."""
    path = build("hostile.c", "NEEDS=nobody_has_this", "GREET=asks_neighbour")
    with pytest.raises(LibraryError) as caught:
        loader.load(path, contract=greeter)
    text = str(caught.value)
    assert caught.value.what == "needs a symbol that no library has"
    assert "nobody_has_this" in text
    assert text.startswith(f"{path}: ")
    assert "--no-undefined" in text
    assert "/proc/self/fd" not in text
    assert not sentinel.exists()


def test_no_dlopen(build: Build, greeter: loader.Contract, sentinel: Path) -> None:
    """A library that says it must not be loaded at run time is refused before it is tried."""
    with pytest.raises(loader.HandshakeError, match="nodlopen") as caught:
        loader.load(build("hostile.c", flags=["-Wl,-z,nodlopen"]), contract=greeter)
    assert "Build it for" not in str(caught.value)
    assert not sentinel.exists()


def test_symbols_are_local(build: Build, greeter: loader.Contract) -> None:
    """A plugin's symbols are not visible to the plugins that are loaded after it."""
    first = loader.load(build("hostile.c", "HAS_SECRET", "BUILD=9"), contract=greeter)
    second = loader.load(build("hostile.c", "GREET=looks_around", "BUILD=10"), contract=greeter)
    assert opened(Path(first.path), greeter).address("secret_of_another")
    assert second.greet("") == "alone"


def test_same_symbols_in_several_plugins(build: Build, greeter: loader.Contract) -> None:
    """Plugins of one contract export the same names; each one's function is its own."""
    paths = [build("hostile.c", "GREET=greets_with_build", f"BUILD={number}") for number in range(20, 26)]
    plugins = [loader.load(path, contract=greeter) for path in paths]
    assert [plugin.greet("") for plugin in plugins] == [f"{number} greets " for number in range(20, 26)]
    assert len({plugin.greet.__self__.address for plugin in plugins}) == 6


@pytest.mark.parametrize("name", ["ä" * 100 + ".so", "日" * 84 + ".so", "a" * 250 + ".so", "b lank'\"$(x).so"])
def test_odd_file_names(build: Build, greeter: loader.Contract, tmp_path: Path, name: str) -> None:
    """Every name that the file system takes can be loaded."""
    path = tmp_path / name
    shutil.copy(build("hostile.c"), path)
    path.write_bytes(path.read_bytes() + name.encode())  # bytes of its own, so that it is opened anew
    plugin = loader.load(path, contract=greeter)
    assert plugin.greet("x") == "Hello, x!"
    assert plugin.name == name.removesuffix(".so")


@linux
def test_file_name_that_is_not_utf8(build: Build, greeter: loader.Contract, tmp_path: Path) -> None:
    """A file name of any bytes can be loaded, and errors of the plugin can be shown."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.so")
    data = build("hostile.c", "GREET=fails_with_text").read_bytes()
    Path(path).write_bytes(data + b"odd")
    plugin = loader.load(path, contract=greeter)
    with pytest.raises(loader.PluginError) as caught:
        plugin.greet("x")
    assert caught.value.path == path
    assert "I do not know x" in str(caught.value)


def test_a_library_that_is_not_open(hello: Path, greeter: loader.Contract) -> None:
    """One whose opening was broken off, by Ctrl-C, has no symbols, covers no addresses and is opened anew."""
    image = read_bytes(hello.read_bytes() + b"broken off", path=str(hello))
    broken_off = Library(image, ffi.new("library_opened *"))
    libraries[image.digest] = broken_off
    assert broken_off.address("malloc") is None
    assert broken_off not in [mapping.library for mapping in mappings()]
    again = open_library(trust(shake_hands(image, greeter), Policy()), owner_of(image))
    assert again is not broken_off
    assert again.address("greet")


def test_address_of_what_is_not_there(hello: Path, greeter: loader.Contract) -> None:
    """A library says None for a symbol that it does not export."""
    library = opened(hello, greeter)
    assert library.address("greet")
    assert library.address("nothing") is None
