"""loader/discover.py and loader.discover: what is there, in a defined order, without running it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import loader
from loader.discover import find
from loader.errors import HandshakeError, ImageError, LoaderError, PluginNotFound

Build = Callable[..., Path]

SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def touch(folder: Path, *names: str) -> list[str]:
    """Makes empty files; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return [str(folder / name) for name in names]


def test_folder_in_order_of_names(tmp_path: Path) -> None:
    """Files of a folder come by name, whatever order the file system has."""
    names = ["b.so", "a.so", "C.so", "10.so", "9.so", "\u00e4.so", "_.so"]
    touch(tmp_path, *names)
    assert [Path(place.path).name for place in find(tmp_path)] == sorted(names)


def test_what_a_folder_holds_beside_plugins(tmp_path: Path) -> None:
    """Other suffixes, hidden files and folders are left out; folders are not searched within folders."""
    touch(tmp_path, "a.so", "b.txt", ".hidden.so", "so", "c.so.bak", "d.py")
    touch(tmp_path / "inner", "e.so")
    assert [place.path for place in find(tmp_path)] == [str(tmp_path / "a.so")]


def test_several_paths_in_their_order(tmp_path: Path) -> None:
    """Sources come in the order given; a file that is named is taken whatever its suffix."""
    touch(tmp_path / "two", "z.so", "y.so")
    touch(tmp_path / "one", "x.so")
    (odd,) = touch(tmp_path, "odd.plugin")
    places = find([tmp_path / "two", odd, str(tmp_path / "one")])
    assert [Path(place.path).name for place in places] == ["y.so", "z.so", "odd.plugin", "x.so"]
    assert [place.source for place in places] == [
        f"folder {tmp_path / 'two'}",
        f"folder {tmp_path / 'two'}",
        "named",
        f"folder {tmp_path / 'one'}",
    ]


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths begin at the current folder."""
    touch(tmp_path / "plugins", "a.so")
    monkeypatch.chdir(tmp_path)
    assert [place.path for place in find("plugins")] == [str(tmp_path / "plugins" / "a.so")]


def test_nothing_to_look_at() -> None:
    """No path, no variable, no group: nothing, and no error."""
    assert find() == []
    assert find([]) == []
    assert find(environment="LOADER_TEST_UNSET") == []
    assert find(entry_points="loader.test.nobody") == []


def test_missing_path_is_a_value(tmp_path: Path) -> None:
    """A path that is not there is a place with an error, and stops no other."""
    touch(tmp_path, "a.so")
    missing, there = find([tmp_path / "nowhere", tmp_path])
    assert isinstance(missing.error, PluginNotFound)
    assert missing.error.path == str(tmp_path / "nowhere")
    assert missing.error.cure
    assert there.error is None


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable holds folders and files, separated like PATH; empty parts are skipped."""
    touch(tmp_path / "f", "b.so", "a.so")
    (single,) = touch(tmp_path, "single.so")
    parts = [single, "", str(tmp_path / "f"), str(tmp_path / "none")]
    monkeypatch.setenv("APP_PLUGINS", os.pathsep.join(parts))
    places = find(environment="APP_PLUGINS")
    assert [Path(place.path).name for place in places] == ["single.so", "a.so", "b.so", "none"]
    assert {place.source for place in places} == {"environment variable APP_PLUGINS"}
    assert [place.error is None for place in places] == [True, True, True, False]
    assert "environment variable APP_PLUGINS" in str(places[-1].error)


def test_folder_that_cannot_be_listed(unprivileged: Path) -> None:
    """A folder that this user may not read is a place with an error."""
    folder = unprivileged / "closed"
    folder.mkdir()
    folder.chmod(0)
    (place,) = find(folder)
    assert isinstance(place.error, PluginNotFound)
    assert "cannot be listed: Permission denied" in str(place.error)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes installed packages of a name, entry points and the code of modules."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def make(dist: str, points: dict[str, str], **modules: str) -> Path:
        info = site / f"{dist}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("[app.plugins]\n" + "\n".join(lines) + "\n")
        for module, code in modules.items():
            (site / f"{module}.py").write_text(code)
        return site

    return make


def test_entry_points(install: Callable[..., Path], tmp_path: Path) -> None:
    """An entry point gives a path, several, a function that gives them, or a package with files in it."""
    one, two, three = touch(tmp_path / "f", "one.so", "two.so", "three.so")
    site = install(
        "dist",
        {
            "d_package": "loader_test_package",
            "a_path": "loader_test_points:PATH",
            "c_function": "loader_test_points:paths",
            "b_several": "loader_test_points:SEVERAL",
        },
        loader_test_points=f"from pathlib import Path\nPATH = {one!r}\nSEVERAL = [{two!r}, Path({one!r})]\n"
        f"def paths():\n    return ({three!r},)\n",
    )
    touch(site / "loader_test_package", "__init__.py", "inside.so")
    places = find(entry_points="app.plugins")
    assert [Path(place.path).name for place in places] == [
        "one.so",
        "two.so",
        "one.so",
        "three.so",
        "inside.so",
    ]
    assert places[0].source == "entry point a_path of app.plugins"
    assert not [place for place in places if place.error]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("loader_test_broken:X", "raise RuntimeError('broken on import')"),
        ("loader_test_broken:X", "Y = 1"),
        ("loader_test_broken:X", "def X():\n    raise KeyError('broken when called')"),
        ("loader_test_broken:X", "X = 5"),
        ("loader_test_broken:X", "X = [5]"),
        ("loader_test_nowhere:X", ""),
    ],
)
def test_broken_entry_point_stops_no_other(
    install: Callable[..., Path], tmp_path: Path, value: str, code: str
) -> None:
    """A package whose entry point does not load is a place with an error; the others are found."""
    (path,) = touch(tmp_path, "good.so")
    install("good", {"z_good": "loader_test_good:X"}, loader_test_good=f"X = {path!r}")
    install("bad", {"a_bad": value}, loader_test_broken=code)
    for module in ("loader_test_broken", "loader_test_good"):
        sys.modules.pop(module, None)
    bad, good = find(entry_points="app.plugins")
    assert isinstance(bad.error, PluginNotFound)
    assert "entry point a_bad of app.plugins does not load" in str(bad.error)
    assert bad.error.cure
    assert (good.path, good.error) == (path, None)


# ---- loader.discover ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(build: Build, tmp_path: Path) -> Path:
    """A folder of good and bad files."""
    place = tmp_path / "plugins"
    place.mkdir()
    shutil.copy(build("hostile.c", "BUILD=200"), place / "a_good.so")
    (place / "b_empty.so").write_bytes(b"")
    (place / "c_text.so").write_text("just text")
    shutil.copy(build("hostile.c", "BUILD=201", "NO_GREET"), place / "d_incomplete.so")
    (place / "e_folder.so").mkdir()
    shutil.copy(build("hostile.c", "BUILD=202"), place / "f_good.so")
    return place


def test_discover_says_what_is_there(folder: Path, greeter: loader.Contract, sentinel: Path) -> None:
    """Every file is looked at, none is run; one bad file stops no other; failures are values with a cure."""
    found = loader.discover(folder, contract=greeter)
    assert [each.name for each in found] == [
        "a_good",
        "b_empty",
        "c_text",
        "d_incomplete",
        "e_folder",
        "f_good",
    ]
    kinds = [type(each.error) for each in found]
    assert kinds == [type(None), ImageError, ImageError, HandshakeError, PluginNotFound, type(None)]
    for each in found:
        assert each.source == f"folder {folder}"
        assert (each.candidate is None) == (each.error is not None)
        assert (each.image is None) == isinstance(each.error, (ImageError, PluginNotFound))
        assert each.error is None or each.error.path == each.path
    assert found[0].candidate is not None
    assert found[0].candidate.version == (1, 0)
    assert not sentinel.exists()


def test_discover_without_a_contract(folder: Path, sentinel: Path) -> None:
    """Without a contract every readable library is fine: what it is can be asked of its image."""
    found = {each.name: each for each in loader.discover(folder)}
    image = found["d_incomplete"].image
    assert found["d_incomplete"].error is None
    assert found["d_incomplete"].candidate is None
    assert image is not None
    assert "greeter_abi_1_0" in image.exports
    assert found["b_empty"].error is not None
    assert not sentinel.exists()


def test_discover_strict(folder: Path, greeter: loader.Contract) -> None:
    """Strict: the first failure is raised."""
    with pytest.raises(ImageError) as caught:
        loader.discover(folder, contract=greeter, strict=True)
    assert caught.value.path == str(folder / "b_empty.so")
    good = loader.discover([folder / "a_good.so", folder / "f_good.so"], contract=greeter, strict=True)
    assert [each.name for each in good] == ["a_good", "f_good"]


def test_discover_places_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing folder is a value too, or raised if strict."""
    monkeypatch.setenv("APP_PLUGINS", str(tmp_path / "b"))
    found = loader.discover(tmp_path / "a", environment="APP_PLUGINS")
    assert [Path(each.path).name for each in found] == ["a", "b"]
    assert all(isinstance(each.error, PluginNotFound) for each in found)
    with pytest.raises(LoaderError):
        loader.discover(tmp_path / "a", strict=True)


# ---- Libraries that plugins need -----------------------------------------------------------------------------


@pytest.fixture
def with_library(build: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with a plugin, the library that it needs, and one that nobody needs."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    library = build("neighbour.c", "ANSWER=71", flags=["-Wl,-soname,libmixed.so"], name="libmixed")
    shutil.copy(library, folder)
    flags = [f"-L{folder}", "-lmixed", "-Wl,-rpath,$ORIGIN"]
    shutil.copy(build("hostile.c", "NEEDS=neighbour", "GREET=asks_neighbour", flags=flags), folder / "needy.so")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="needs $ORIGIN")
@pytest.mark.parametrize("lazy", [False, True])
def test_library_that_a_plugin_needs_is_no_failure(
    with_library: Path, build: Callable[..., Path], greeter: loader.Contract, lazy: bool
) -> None:
    """It is passed over, by a strict host too; one that nobody needs is a failure, and so is one that is named."""
    found = {each.name: each for each in loader.discover(with_library, contract=greeter, strict=True)}
    assert found["mixed"].needed_by == found["needy"].path
    assert (found["mixed"].error, found["mixed"].candidate) == (None, None)
    host = loader.Host(greeter, strict=True)
    assert [plugin.greet("") for plugin in host.load_all(with_library, lazy=lazy)] == ["neighbour says 71"]
    with pytest.raises(loader.HandshakeError):
        loader.Host(greeter, strict=True).load_all(with_library / "libmixed.so")
    shutil.copy(build("neighbour.c", "ANSWER=72", name="libalone"), with_library)
    host = loader.Host(greeter)
    host.load_all(with_library)
    assert [Path(str(error.path)).name for error in host.failures] == ["libalone.so"]
    with pytest.raises(loader.HandshakeError):
        loader.discover(with_library, contract=greeter, strict=True)


# ---- Entry points, without importing -----------------------------------------------------------------------


def test_discover_imports_nothing(install: Callable[..., Path], hello: Path) -> None:
    """Packages, folders in them and packages in packages are searched where they lie; none of their code runs."""
    site = install(
        "dist",
        {
            "a_package": "loader_test_silent",
            "b_folder": "loader_test_silent.native",
            "c_inner": "loader_test_silent.inner",
            "d_code": "loader_test_silent:paths",
            "e_missing": "loader_test_silent.nothing",
            "f_module": "loader_test_single",
            "g_nowhere": "loader_test_gone.native",
        },
        loader_test_single="raise SystemExit('imported')",
    )
    package = site / "loader_test_silent"
    for folder, name in ((package, "one"), (package / "native", "two"), (package / "inner", "three")):
        folder.mkdir(exist_ok=True)
        shutil.copy(hello, folder / f"{name}.so")
    for folder in (package, package / "inner"):
        (folder / "__init__.py").write_text("raise SystemExit('imported')")
    before = set(sys.modules)
    found = loader.discover(entry_points="app.plugins")
    assert not [name for name in set(sys.modules) - before if name.startswith("loader_test")]
    assert [each.name for each in found[:3]] == ["one", "two", "three"]
    assert [each.error for each in found[:3]] == [None] * 3
    assert "would have to be imported" in str(found[3].error)
    assert "No module named 'loader_test_silent.nothing'" in str(found[4].error)
    assert "would have to be imported" in str(found[5].error)
    assert "No module named 'loader_test_gone.native'" in str(found[6].error)


def test_load_all_imports_what_code_tells(
    install: Callable[..., Path], hello: Path, greeter: loader.Contract
) -> None:
    """A function that gives paths is called where plugins are to run anyway."""
    install("dist", {"x": "loader_test_told:paths"}, loader_test_told=f"def paths():\n    return [{str(hello)!r}]\n")
    host = loader.Host(greeter)
    assert [plugin.path for plugin in host.load_all(entry_points="app.plugins")] == [str(hello)]
