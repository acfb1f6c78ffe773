"""The CMake package that plugin authors use: a project of their own, from nothing but what is installed.

The project is author_project/, copied to a folder with a blank in its name. Its own ctest entries check the
C++ kit and the check host; the tests here check the build: what it makes, and when it makes it again.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tree import ROOT

from loader.contract import Contract
from loader.errors import HandshakeError
from loader.htmlize.contract import HTMLIZE
from loader.image import read_image
from loader.trust.handshake import shake_hands

SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")

pytestmark = [
    pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake"),
    pytest.mark.slow,
]


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of author_project, configured in build/."""

    folder: Path

    @property
    def package(self) -> Path:
        """Its copy of the installed package's files."""
        return self.folder.parent / "site packages" / "loader"

    def plugin(self, name: str, contract: str = "htmlize") -> Path:
        """The file that the build makes of a plugin."""
        return self.folder / "build" / "plugins" / contract / f"{name}{SUFFIX}"

    def cmake(self, *arguments: str) -> str:
        """What `cmake ARGUMENTS` in its folder prints; it must succeed."""
        done = subprocess.run(["cmake", *arguments], cwd=self.folder, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(self, target: str = "all") -> None:
        """Builds what is out of date."""
        self.cmake("--build", "build", "--target", target)


def copy_project(folder: Path) -> Project:
    """The project and the files of an installed package, beside each other in `folder`."""
    project = Project(folder / "my plugins")
    shutil.copytree(ROOT / "tests" / "author_project", project.folder)
    shutil.copytree(ROOT / "include", project.package / "include", ignore=shutil.ignore_patterns("target", "tests"))
    shutil.copytree(ROOT / "loader" / "cmake", project.package / "cmake")
    return project


def require(project: Project, name: str, contract: str = "htmlize") -> Path:
    """The file of a built plugin. Without its toolchain the test is skipped, or fails where CI is set."""
    plugin = project.plugin(name, contract)
    if not plugin.exists():
        reason = f"the toolchain of plugin {name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return plugin


@pytest.fixture(scope="module", params=["Ninja", "Unix Makefiles"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, built with one generator."""
    if shutil.which({"Ninja": "ninja", "Unix Makefiles": "make"}[request.param]) is None:
        pytest.skip(f"no tool for {request.param}")
    project = copy_project(tmp_path_factory.mktemp("author"))
    project.cmake("-S", ".", "-B", "build", "-G", request.param, f"-Dloader_DIR={project.package / 'cmake'}")
    project.build()
    return project


def test_every_check_of_the_project_passes(project: Project) -> None:
    """The C++ kit turns each exception into its error, and the check host finds each fault."""
    done = subprocess.run(
        ["ctest", "--test-dir", "build", "--output-on-failure", "--no-tests=error"],
        cwd=project.folder, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF")
@pytest.mark.parametrize(
    ("name", "contract", "functions"),
    [
        ("one", "htmlize", {"hooks"}),
        ("kit", "kit", {"run", "walk"}),
        ("crate", "htmlize", {"hooks", "process_role"}),
        ("module", "htmlize", {"hooks", "process_role", "process_contents"}),
    ],
)
def test_a_plugin_exports_its_contract_and_nothing_else(
    project: Project, name: str, contract: str, functions: set[str]
) -> None:
    """Neither the C++ library's templates nor the Go runtime's C half are visible outside."""
    require(project, name, contract)
    made = HTMLIZE if contract == "htmlize" else Contract.from_header(ROOT / "tests" / "author_project" / "kit.h")
    image = read_image(project.plugin(name, contract))
    assert made.stamped
    assert set(image.exports) == {"loader_abi_1", made.marker, f"{made.marker}_is_0x{made.fingerprint}", *functions}


@pytest.mark.parametrize("name", ["one", "crate", "module"])
def test_a_host_of_other_declarations_refuses_it(project: Project, name: str) -> None:
    """In C, Rust and Go alike: the same version, another fingerprint."""
    image = read_image(require(project, name))
    assert shake_hands(image, HTMLIZE).fingerprint == HTMLIZE.fingerprint
    with pytest.raises(HandshakeError, match=r"other declarations of htmlize 1\.0"):
        shake_hands(image, dataclasses.replace(HTMLIZE, services=()))


def test_the_fingerprint_is_checked(project: Project) -> None:
    """Each plugin's check asks for the one that its header says, which a crate could lack."""
    kit = Contract.from_header(ROOT / "tests" / "author_project" / "kit.h")
    listed = subprocess.run(
        ["ctest", "--test-dir", "build", "-N", "-V"], cwd=project.folder, text=True, capture_output=True, check=False
    ).stdout
    for made in (kit, HTMLIZE):
        assert f'"--marker" "{made.marker}" "--marker" "{made.marker}_is_0x{made.fingerprint}"' in listed
    host = project.folder / "build" / "loader" / "loader-check-plugin"
    plugin = require(project, "kit", "kit")
    wrong = [host, plugin, "--marker", f"{kit.marker}_is_0x0123456789abcdef"]
    done = subprocess.run(wrong, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert "_is_0x0123456789abcdef" in done.stderr


SOURCES = {
    "one": ["one.c", "{package}/include/loader/plugin.h", "{package}/include/htmlize/htmlize.h"],
    "crate": ["crate/src/lib.rs", "crate/Cargo.toml", "{package}/include/rust/src/lib.rs",
              "{package}/include/rust/Cargo.toml"],
    "module": ["module/main.go", "module/go.mod", "{package}/include/go/htmlize/export.go",
               "{package}/include/loader/plugin.h"],
}  # fmt: skip


def test_nothing_is_built_again_without_a_change(project: Project) -> None:
    """A second build leaves every plugin as it is."""
    built = {path: path.stat().st_mtime_ns for path in project.folder.glob("build/plugins/*/*")}
    project.build()
    assert {path: path.stat().st_mtime_ns for path in built} == built
    assert project.plugin("one") in built


@pytest.mark.parametrize(("name", "source"), [(name, each) for name, all_ in SOURCES.items() for each in all_])
def test_a_plugin_is_built_again_when_a_source_changed(project: Project, name: str, source: str) -> None:
    """Sources, manifests, the kit's sources and the headers count, in every language, once each."""
    plugin = require(project, name)
    path = Path(source.format(package=project.package))
    path = path if path.is_absolute() else project.folder / path
    before = plugin.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"\n")
    project.build(name)
    after = plugin.stat().st_mtime_ns
    assert after > before
    project.build(name)
    assert plugin.stat().st_mtime_ns == after


def test_a_file_that_joins_a_go_package_is_built_in(project: Project) -> None:
    """Go takes every file of a folder, named in no other one: a new one makes the plugin anew."""
    plugin = require(project, "module")
    before = plugin.stat().st_mtime_ns
    (project.folder / "module" / "more.go").write_text("package main\n\nvar _ = 1\n")
    project.build("module")
    assert plugin.stat().st_mtime_ns > before


def test_a_changed_header_reaches_a_go_plugin(project: Project) -> None:
    """The kit reads layouts from the C headers, so what go has in its cache must not be used again."""
    require(project, "module")
    header = project.package / "include" / "loader" / "plugin.h"
    whole = header.read_text()
    header.write_text(whole + "#error a change that must be seen\n")
    try:
        with pytest.raises(AssertionError, match="a change that must be seen"):
            project.build("module")
    finally:
        header.write_text(whole)


def test_a_missing_toolchain_skips_its_plugins_with_a_message(tmp_path: Path) -> None:
    """Without cargo and go the rest is built, and the message names the plugin and the tool."""
    project = copy_project(tmp_path)
    absent = ("-DCARGO_EXECUTABLE=/nowhere/cargo", "-DGO_EXECUTABLE=/nowhere/go")
    said = project.cmake("-S", ".", "-B", "build", f"-Dloader_DIR={project.package / 'cmake'}", *absent)
    assert "plugin crate is skipped: no cargo" in said
    assert "plugin module is skipped: no go" in said
    project.build("one")
    assert project.plugin("one").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "loader_add_plugin(a CONTRACT nobody SOURCES one.c)",
            "no header of contract nobody: put nobody.h into",
        ),
        (
            "loader_add_plugin(a CONTRACT kit CONTRACT_HEADER one.c SOURCES one.c)",
            "has no line LOADER_CONTRACT(kit,",
        ),
        ("loader_add_plugin(a CONTRACT htmlize)", "it is built from one of SOURCES, CARGO, GO and ZIG"),
        ("loader_add_plugin(a SOURCES one.c)", "wanted CONTRACT name"),
        ("loader_add_plugin(a CONTRACT htmlize SAUCES one.c)", "not understood: 'SAUCES;one.c'"),
        ("loader_test_plugin(one GIVES x)", "wanted CALL function argument... and GIVES text or FAILS text"),
    ],
)
def test_a_wrong_call_is_refused_with_what_was_wanted(tmp_path: Path, call: str, message: str) -> None:
    """The configuration stops and says what is missing."""
    project = copy_project(tmp_path)
    lines = (project.folder / "CMakeLists.txt").read_text().splitlines()
    begin = lines.index("enable_testing()")
    lines[begin + 1 :] = ["loader_add_plugin(one CONTRACT htmlize SOURCES one.c)", call]
    (project.folder / "CMakeLists.txt").write_text("\n".join(lines) + "\n")
    with pytest.raises(AssertionError) as refused:
        project.cmake("-S", ".", "-B", "build", f"-Dloader_DIR={project.package / 'cmake'}")
    assert message in " ".join(str(refused.value).split())
