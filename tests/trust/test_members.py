"""loader/trust/members.py: what comes along with a plugin is judged like the plugin, however it comes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tree import GREETER

import loader
from loader.author.sdk import include_dir
from loader.errors import LibraryError, TrustError
from loader.image.linker import glibc, linker_facts
from loader.trust import Policy
from loader.trust.identity import identify
from loader.trust.lockfile import LockFile

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not glibc(), reason="the dynamic linker of glibc")

HELPER = """
#include <stdio.h>
__attribute__((constructor)) static void ran(void) { puts("RAN"); fflush(stdout); }
const char *word(void);
const char *word(void) { return WORD; }
"""
OUTER = "const char *word(void);\nconst char *outer(void);\nconst char *outer(void) { return word(); }\n"
PLUGIN = """
#include "greeter.h"
const char *SAYS(void);
int greet(loader_call *call, const loader_text *name) { (void)name; return loader_write_string(call, SAYS()); }
"""


class Place:
    """A folder with a plugin, and what it needs in dep/."""

    def __init__(self, folder: Path, compiler: str) -> None:
        self.folder, self.compiler = folder, compiler
        for each in (folder, *folder.parents[:2]):
            each.chmod(0o755)
        self.dep = folder / "dep"
        self.dep.mkdir(mode=0o755)

    def helper(
        self, path: str = "dep/libd.so", *flags: str, word: str = "right", soname: str | None = "libd.so"
    ) -> Path:
        """A library that says that it runs."""
        named = () if soname is None else ("-Wl,-soname," + soname,)
        return self.build(path, HELPER, f'-DWORD="{word}"', *named, *flags)

    def plugin(self, *flags: str, says: str = "word", name: str = "plugin.so") -> Path:
        """A plugin that answers with what a library says."""
        return self.build(name, PLUGIN, f"-DSAYS={says}", *flags, "-Wl,--unresolved-symbols=ignore-all")

    def build(self, path: str, source: str, *flags: str) -> Path:
        """A shared library of some C."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        command = [self.compiler, "-shared", "-fPIC", "-x", "c", "-", "-x", "none"]
        command += [f"-I{include_dir()}", f"-I{GREETER.parent}", "-o", str(target), "-Wl,--no-as-needed", *flags]
        subprocess.run(command, input=source.encode(), check=True, cwd=self.folder)
        return target

    def call(self, plugin: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Asks the plugin by the command."""
        return self.run("call", str(plugin), "greet", "x", "--contract", str(GREETER), *options, **variables)

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command, in a process of its own, whose current folder is this one."""
        environment = os.environ | {"PYTHONPATH": str(Path(loader.__file__).parent.parent), **variables}
        command = [sys.executable, "-m", "loader", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, env=environment)


@pytest.fixture
def place(tmp_path: Path, tool: Callable[..., str]) -> Place:
    """A folder to build in, that only this user can write to."""
    return Place(tmp_path, tool("cc", "gcc", "clang"))


def absolute_name(place: Place) -> Path:
    """By a name that is an absolute path."""
    place.helper(soname=None)
    return place.plugin(str(place.dep / "libd.so"))


def runpath(place: Place) -> Path:
    """By an absolute folder."""
    place.helper()
    return place.plugin("-Ldep", "-ld", f"-Wl,-rpath,{place.dep}")


def origin(place: Place) -> Path:
    """By a folder relative to the plugin."""
    place.helper()
    return place.plugin("-Ldep", "-ld", "-Wl,-rpath,${ORIGIN}/dep")


def origin_in_a_name(place: Place) -> Path:
    """By a name with a token."""
    place.helper(soname="$ORIGIN/dep/libd.so")
    plugin = place.plugin("-Ldep", "-ld")
    place.helper(soname=None)
    return plugin


def runpath_of_what_is_needed(place: Place) -> Path:
    """By a folder that only the needed library names."""
    place.helper()
    place.build("own/liba.so", OUTER, "-Wl,-soname,liba.so", "-Ldep", "-ld", f"-Wl,-rpath,{place.dep}")
    return place.plugin("-Lown", "-la", "-Wl,-rpath,$ORIGIN/own", says="outer")


def inherited_rpath(place: Place) -> Path:
    """By a folder of the plugin's, for the needed library's needs."""
    place.helper()
    place.build("own/liba.so", OUTER, "-Wl,-soname,liba.so", "-Ldep", "-ld")
    old = f"-Wl,--disable-new-dtags,-rpath,$ORIGIN/own:{place.dep}"
    return place.plugin("-Lown", "-la", old, says="outer")


def lib_and_platform(place: Place) -> Path:
    """By tokens that the linker replaces."""
    facts = linker_facts()
    assert facts is not None
    place.helper(f"dep/{facts.lib}/{facts.platform}/libd.so")
    return place.plugin(f"-Ldep/{facts.lib}/{facts.platform}", "-ld", "-Wl,-rpath,$ORIGIN/dep/$LIB/${PLATFORM}")


def better_cpu(place: Place) -> Path:
    """In a subfolder that is searched first on this CPU."""
    facts = linker_facts()
    if facts is None or not facts.subfolders[0].startswith("glibc-hwcaps"):
        pytest.skip("this CPU is no better than the least")
    place.helper(word="wrong")
    plugin = place.plugin("-Ldep", "-ld", f"-Wl,-rpath,{place.dep}")
    place.helper(f"dep/{facts.subfolders[0]}/libd.so")
    return plugin


def old_subfolder(place: Place) -> Path:
    """In a subfolder that older versions of glibc search."""
    if glibc() >= (2, 37):
        pytest.skip("glibc looks there no more")
    place.helper("dep/tls/libd.so")
    return place.plugin("-Ldep/tls", "-ld", f"-Wl,-rpath,{place.dep}")


def auxiliary(place: Place) -> Path:
    """As what stands in for the plugin, if it is there."""
    place.helper()
    return place.build("plugin.so", PLUGIN + 'const char *word(void) { return "own"; }', "-DSAYS=word",
                       "-Wl,-f,libd.so", f"-Wl,-rpath,{place.dep}")  # fmt: skip


def filter_(place: Place) -> Path:
    """As what stands in for the plugin."""
    place.helper()
    return place.build("plugin.so", PLUGIN + 'const char *word(void) { return "own"; }', "-DSAYS=word",
                       "-Wl,-F,libd.so", "-Wl,-rpath,$ORIGIN/dep")  # fmt: skip


def filter_of_what_is_needed(place: Place) -> Path:
    """As what stands in for the needed library."""
    place.helper()
    place.build("own/liba.so", OUTER, "-Wl,-soname,liba.so", "-Wl,-F,$ORIGIN/../dep/libd.so")
    return place.plugin("-Lown", "-la", "-Wl,-rpath,$ORIGIN/own", says="outer")


def cycle(place: Place) -> Path:
    """Two libraries that need each other."""
    place.helper()
    place.build("dep/liba.so", OUTER, "-Wl,-soname,liba.so", "-Ldep", "-ld", "-Wl,-rpath,$ORIGIN")
    place.helper("dep/libd.so", "-Ldep", "-la", "-Wl,-rpath,$ORIGIN")
    return place.plugin("-Ldep", "-la", "-Wl,-rpath,$ORIGIN/dep", says="outer")


def through_a_link(place: Place) -> Path:
    """Through a symbolic link."""
    place.helper("dep/real.so")
    (place.folder / "own").mkdir(mode=0o755)
    (place.folder / "own" / "libd.so").symlink_to("../dep/real.so")
    return place.plugin("-Lown", "-ld", "-Wl,-rpath,$ORIGIN/own")


WAYS = (
    absolute_name, runpath, origin, origin_in_a_name, runpath_of_what_is_needed, inherited_rpath, lib_and_platform,
    better_cpu, old_subfolder, auxiliary, filter_, filter_of_what_is_needed, cycle, through_a_link,
)  # fmt: skip


@pytest.mark.parametrize("spoilt", ["file", "folder", "nothing"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_judged(place: Place, way: Callable[[Place], Path], spoilt: str) -> None:
    """A library that anybody can change is refused before any of it runs, however it is needed; its twin is not."""
    plugin = way(place)
    path = next(
        each for each in place.dep.rglob("*.so") if b"RAN" in each.read_bytes() and b"right" in each.read_bytes()
    )
    if spoilt == "file":
        path.chmod(0o666)
    elif spoilt == "folder":
        path.parent.chmod(0o777)
    done = place.call(plugin, "--permissions")
    if spoilt == "nothing":
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == "RAN"
        assert done.stdout.splitlines()[-1] in ("right", "own")
    else:
        assert done.returncode == 5, done.stdout + done.stderr
        assert "RAN" not in done.stdout
        assert "chmod go-w" in done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_every_way_needs_the_lock(place: Place, way: Callable[[Place], Path], tmp_path: Path) -> None:
    """A lock file must name what comes along; then it runs."""
    plugin = way(place)
    lock = LockFile(str(tmp_path / "x.lock"))
    images = [loader.read_image(each) for each in place.folder.rglob("*.so") if not each.is_symlink()]
    for image in images:
        if image.path == str(plugin):
            lock = lock.add(identify(image), file=image.path, size=image.size)
    lock.write()
    done = place.call(plugin, "--lock", lock.path)
    assert (done.returncode, "RAN" in done.stdout) == (5, False), done.stdout + done.stderr
    for image in images:
        if image.path != str(plugin) and b"wrong" not in image.data:
            lock = lock.add(identify(image), file=image.path, size=image.size)
    if way is through_a_link:
        lock = lock.add(identify(loader.read_image(place.folder / "own" / "libd.so")), file="libd.so", size=0)
    lock.write()
    done = place.call(plugin, "--lock", lock.path)
    assert done.returncode == 0, done.stderr
    assert "RAN" in done.stdout


def relative_name(place: Place) -> Path:
    """By a name that is a relative path."""
    place.helper(soname=None)
    return place.plugin("dep/libd.so")


def relative_runpath(place: Place) -> Path:
    """By a relative folder."""
    place.helper()
    return place.plugin("-Ldep", "-ld", "-Wl,-rpath,dep")


def empty_runpath(place: Place) -> Path:
    """By an empty folder, which is the current one."""
    shutil.copy(place.helper(), place.folder)
    return place.plugin("-Ldep", "-ld", "-Wl,-rpath,:/nowhere")


def unknown_token(place: Place) -> Path:
    """By a token that means nothing."""
    place.helper("$NOBODY/libd.so")
    return place.plugin("-L$NOBODY", "-ld", "-Wl,-rpath,$NOBODY")


@pytest.mark.parametrize("policy", ["--permissions", "--lock"])
@pytest.mark.parametrize("way", [relative_name, relative_runpath, empty_runpath, unknown_token])
def test_what_cannot_be_judged_is_refused(place: Place, way: Callable[[Place], Path], policy: str) -> None:
    """Folders that the current one decides, and tokens that nobody knows: under any policy, with a cure."""
    plugin = way(place)
    lock = LockFile(str(place.folder / "x.lock"))
    for each in place.folder.rglob("*.so"):
        image = loader.read_image(each)
        lock = lock.add(identify(image), file=image.path, size=image.size)
    lock.write()
    done = place.call(plugin, policy, *([lock.path] if policy == "--lock" else []))
    assert (done.returncode, "RAN" in done.stdout) == (5, False), done.stdout + done.stderr
    assert "-Wl,-rpath,'$ORIGIN'" in done.stderr
    assert place.call(plugin).stdout.splitlines() == [
        "RAN",
        "right",
    ]  # who asks for nothing gets what the linker does


@pytest.mark.parametrize("variable", ["{}/dep", "dep", ":/nowhere", "/$NOBODY/dep"])
def test_library_path(place: Place, variable: str) -> None:
    """LD_LIBRARY_PATH counts as it was at the start: what it leads to is judged, and relative folders are refused."""
    path = place.helper()
    shutil.copy(path, place.folder)
    plugin = place.plugin("-Ldep", "-ld")
    variables = {"LD_LIBRARY_PATH": variable.format(place.folder)}
    done = place.call(plugin, "--permissions", **variables)
    if variable.startswith("{}"):
        assert done.stdout.splitlines() == ["RAN", "right"]
        path.chmod(0o666)
        done = place.call(plugin, "--permissions", **variables)
    else:
        examined = place.run("doctor", str(plugin), **variables)
        assert "Set LD_LIBRARY_PATH to absolute folders" in done.stderr
        assert "Set LD_LIBRARY_PATH to absolute folders" in examined.stdout
    assert (done.returncode, "RAN" in done.stdout) == (5, False), done.stdout + done.stderr


def test_systems_own_need_no_lock(place: Place) -> None:
    """Libraries of the system's own folders are not in a lock file; permissions hold for them by what they are."""
    plugin = place.build("plugin.so", PLUGIN + 'const char *word(void) { return "right"; }', "-DSAYS=word",
                         "-lm", "-lresolv", "-lanl")  # fmt: skip
    image = loader.read_image(plugin)
    lock = LockFile(str(place.folder / "x.lock")).add(identify(image), file=image.path, size=image.size)
    lock.write()
    done = place.call(plugin, "--lock", lock.path, "--permissions")
    assert done.stdout.strip() == "right", done.stderr


def test_rule_of_the_plugins_folder_holds_for_what_it_needs(place: Place, greeter: loader.Contract) -> None:
    """A library from a folder where nothing is asked is judged by the rule of the plugin that brings it."""
    path = place.helper("loose/libd.so")
    plugin = place.plugin("-Lloose", "-ld", "-Wl,-rpath,$ORIGIN/../loose", name="strict/plugin.so")
    policy = Policy.for_folders({str(place.folder / "strict"): Policy(permissions=True)})
    path.chmod(0o666)
    with pytest.raises(TrustError, match="chmod go-w"):
        loader.load(plugin, contract=greeter, policy=policy)
    path.chmod(0o644)
    assert loader.load(plugin, contract=greeter, policy=policy).greet("") == "right"


def test_missing_library_under_a_policy(place: Place, greeter: loader.Contract) -> None:
    """What is not found is said before anything is opened."""
    place.helper()
    plugin = place.plugin("-Ldep", "-ld", "-Wl,-rpath,$ORIGIN/nowhere")
    with pytest.raises(LibraryError, match=r"needs the library libd\.so, which is not found"):
        loader.load(plugin, contract=greeter, policy=Policy(permissions=True))


# ---- A plugin is its bytes and what comes along --------------------------------------------------------------


@pytest.mark.parametrize("named", ["libd.so", None])
def test_same_plugin_with_other_libraries(place: Place, greeter: loader.Contract, named: str | None) -> None:
    """The same bytes in two folders with different helpers are two libraries, each with its own helper."""
    plugins = []
    for word in ("one", "two"):
        folder = place.folder / word
        place.helper(f"{word}/libd.so", word=word, soname=named)
        if not plugins:
            plugin = place.plugin(f"-L{folder}", "-l:libd.so", "-Wl,-rpath,$ORIGIN", name="one/plugin.so")
        else:
            shutil.copy(plugins[0], folder / "plugin.so")
        plugins.append(folder / "plugin.so")
    for policy in (None, Policy(permissions=True)):
        loaded = [loader.load(each, contract=greeter, policy=policy) for each in plugins]
        assert [each.greet("") for each in loaded] == ["one", "two"]
    assert plugin.read_bytes() == plugins[1].read_bytes()


@pytest.mark.parametrize("way", [origin, runpath, inherited_rpath, absolute_name])
def test_upgraded_helper(place: Place, greeter: loader.Contract, way: Callable[[Place], Path]) -> None:
    """A helper that was replaced since is another library, and must pass the policy again."""
    plugin = way(place)
    assert loader.load(plugin, contract=greeter).greet("") == "right"
    path = place.dep / "libd.so"
    path.unlink()
    place.helper(word="newer", soname=loader.read_image(plugin).soname if way is absolute_name else "libd.so")
    assert loader.load(plugin, contract=greeter).greet("") == "newer"
    path.chmod(0o666)
    with pytest.raises(TrustError, match="chmod go-w"):
        loader.load(plugin, contract=greeter, policy=Policy(permissions=True))
    path.chmod(0o644)
    assert loader.load(plugin, contract=greeter, policy=Policy(permissions=True)).greet("") == "newer"


def test_helper_of_another_plugin_is_not_taken(
    place: Place, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A library of the needed name that some plugin brought does not serve the next one, whose own is elsewhere."""
    place.helper("one/libd.so", word="one")
    first = place.plugin("-Lone", "-ld", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/one")
    place.helper("two/libd.so", word="two")
    second = place.plugin("-Ltwo", "-ld", name="second.so")  # found by LD_LIBRARY_PATH alone
    code = """
import sys, loader
contract = loader.Contract.from_header(sys.argv[3])
print(*(loader.load(each, contract=contract).greet("") for each in sys.argv[1:3]))
"""
    done = run_python(code, first, second, GREETER, LD_LIBRARY_PATH=str(place.folder / "two"))
    assert done.stdout.splitlines()[-1] == "one two"


def test_versions_of_a_helper(place: Place, greeter: loader.Contract) -> None:
    """A helper with symbol versions, which the plugin asks for by the library's name, is found too."""
    (place.folder / "map").write_text("WORDS_1 { global: word; local: *; };\n")
    place.helper("dep/libd.so", "-Wl,--version-script=map", word="versioned")
    plugin = place.plugin("-Ldep", "-ld", "-Wl,-rpath,$ORIGIN/dep")
    assert loader.read_image(plugin).versions["libd.so"] == ("WORDS_1",)
    for policy in (None, Policy(permissions=True)):
        assert loader.load(plugin, contract=greeter, policy=policy).greet("") == "versioned"


def test_commands_agree_with_loading(place: Place) -> None:
    """`verify`, `list`, `inspect` and `doctor` say of what comes along what loading says."""
    path = place.helper()
    plugin = place.plugin("-Ldep", "-ld", "-Wl,-rpath,$ORIGIN/dep")
    assert str(path) in place.run("inspect", str(plugin)).stdout
    assert place.run("verify", str(plugin), "--permissions").returncode == 0
    path.chmod(0o666)
    assert "chmod go-w" in place.run("verify", str(plugin), "--permissions").stderr
    assert "can be changed by others" in place.run("list", str(plugin), "--permissions").stdout
    relative = place.plugin("-Ldep", "-ld", "-Wl,-rpath,nowhere:$ORIGIN/dep", name="relative.so")
    assert "every policy refuses" in place.run("doctor", str(relative)).stdout


def test_without_memory_files(place: Place, run_python: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Where copies are private files, what comes along is opened from such copies as well, cycles included."""
    plugin = cycle(place)
    code = """
import os, sys
del os.memfd_create
import loader
plugin = loader.load(sys.argv[1], contract=loader.Contract.from_header(sys.argv[2]))
maps = open("/proc/self/maps", errors="replace").read()
assert os.path.dirname(sys.argv[1]) not in maps
print(plugin.greet(""))
"""
    assert run_python(code, plugin, GREETER).stdout.split() == ["RAN", "right"]


def test_cycle_through_the_plugin(place: Place, greeter: loader.Contract) -> None:
    """A library may need the plugin that brings it along, by the plugin's own name."""
    place.plugin("-Wl,-soname,plugin.so")
    place.helper("dep/libd.so", "-L.", "-l:plugin.so")
    plugin = place.plugin("-Wl,-soname,plugin.so", "-Ldep", "-ld", "-Wl,-rpath,$ORIGIN/dep")
    for policy in (None, Policy(permissions=True)):
        assert loader.load(plugin, contract=greeter, policy=policy).greet("") == "right"
    maps = Path("/proc/self/maps").read_text(errors="replace")
    assert str(plugin) not in maps


def test_more_descriptors_are_not_kept_than_copies(place: Place, greeter: loader.Contract) -> None:
    """A plugin whose library lacks something is refused, and neither of its copies stays open."""
    place.helper()
    plugin = place.plugin("-Ldep", "-ld", "-Wl,-rpath,$ORIGIN/dep", says="nobody_has_this")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(LibraryError, match="needs a symbol that no library has"):
            loader.load(plugin, contract=greeter)
    assert len(os.listdir("/proc/self/fd")) == before
