"""BINDINGS of loader_add_plugin: what is generated follows the header; without Python what is there is used."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tree import ROOT

import loader

SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")

pytestmark = [
    pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake"),
    pytest.mark.slow,
]

HEADER = """\
#include "loader/plugin.h"
LOADER_CONTRACT(tiny, 1, 0);
LOADER_BEGIN_C
/* Twice [as] "much"; with a \\ in it. */
LOADER_EXPORT int twice(loader_call *call, int64_t number, LOADER_OUT int64_t *doubled);
LOADER_END_C
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.20)
project(tiny LANGUAGES C CXX)
find_package(loader CONFIG REQUIRED)
loader_add_plugin(tiny CONTRACT tiny CONTRACT_HEADER api/tiny.h BINDINGS {bindings} {sources})
"""
CPP = """\
#include "tiny.hpp"
struct Tiny final : tiny::Plugin {
    std::int64_t twice(loader::Call &, std::int64_t number) override { return 2 * number; }
};
TINY_EXPORT(Tiny);
"""
ZIG = """\
const loader = @import("loader");
const Tiny = struct {
    pub fn twice(_: loader.Call, number: i64) i64 {
        return 2 * number;
    }
};
comptime {
    @import("tiny").exportPlugin(Tiny);
}
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A project of one plugin, in a folder with a blank in its name."""

    folder: Path
    generator: str

    @property
    def header(self) -> Path:
        """The contract's."""
        return self.folder / "api" / "tiny.h"

    @property
    def plugin(self) -> Path:
        """What is built."""
        return self.folder / "build" / "plugins" / "tiny" / f"tiny{SUFFIX}"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`cmake ARGUMENTS` in its folder."""
        return subprocess.run(["cmake", *arguments], cwd=self.folder, text=True, capture_output=True, check=False)

    def configure(self, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        """With a Python, or OFF."""
        options = [
            f"-Dloader_DIR={ROOT / 'loader' / 'cmake'}",
            f"-DLOADER_PYTHON={python}",
            "-DCMAKE_BUILD_TYPE=Debug",
        ]
        if shutil.which("zig") is None:
            options.append(f"-DZIG_EXECUTABLE={sys.executable};-m;ziglang")
        return self.run("-S", ".", "-B", "build", "-G", self.generator, *options)

    def build(self) -> str:
        """What is out of date; it must succeed."""
        done = self.run("--build", "build")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def load(self) -> loader.Plugin:
        """The plugin, by the header as it is now."""
        return loader.load(self.plugin, contract=loader.Contract.from_header(self.header))


GENERATORS = {"Ninja": "ninja", "Unix Makefiles": "make"}


@pytest.fixture(params=[name for name, tool in GENERATORS.items() if shutil.which(tool)][:1])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """In C++, not yet configured. With one generator, where a test does not ask for more."""
    return make(tmp_path / "my plugin", request.param, "cpp", "SOURCES plugin.cpp", {"plugin.cpp": CPP})


def make(folder: Path, generator: str, bindings: str, sources: str, files: dict[str, str]) -> Project:
    """A project of these files."""
    (folder / "api").mkdir(parents=True)
    (folder / "CMakeLists.txt").write_text(CMAKE.format(bindings=bindings, sources=sources))
    for name, text in files.items():
        (folder / name).write_text(text)
    made = Project(folder, generator)
    made.header.write_text(HEADER)
    return made


@pytest.mark.parametrize("project", [name for name, tool in GENERATORS.items() if shutil.which(tool)], indirect=True)
def test_a_changed_header_is_generated_anew_and_the_plugin_built_with_it(project: Project) -> None:
    """In one build. What did not change is not built again."""
    assert project.configure().returncode == 0
    project.build()
    bindings = project.folder / "tiny.hpp"
    assert project.load().twice(21) == 42
    before = bindings.stat().st_mtime_ns, project.plugin.stat().st_mtime_ns
    project.build()
    assert (bindings.stat().st_mtime_ns, project.plugin.stat().st_mtime_ns) == before
    project.header.write_text(HEADER.replace("int64_t number", "int64_t value"))
    project.build()
    assert "virtual std::int64_t twice(loader::Call &call, std::int64_t value) = 0;" in bindings.read_text()
    assert project.load().twice(value=21) == 42
    assert project.plugin.stat().st_mtime_ns != before[1]


def test_a_header_that_the_header_includes_counts_too(project: Project) -> None:
    """However deep, and in another folder; also one that it includes only since CMake was run."""
    shared = project.folder / "shared"
    shared.mkdir()
    project.header.write_text(HEADER.replace("LOADER_BEGIN_C", '#include "../shared/first.h"\nLOADER_BEGIN_C'))
    (shared / "first.h").write_text('#  include \t"deep.h" /* the system\'s: */\n#include <stdint.h>\n')
    (shared / "deep.h").write_text("typedef struct tiny_pair { int32_t first, second; } tiny_pair;\n")
    assert project.configure().returncode == 0
    project.build()
    for at, folder in enumerate((shared, project.folder / "api")):
        name = f"twice_{at}"
        more = f"LOADER_OPTIONAL int {name}(loader_call *call, int64_t number, LOADER_OUT int64_t *doubled);\n"
        (folder / f"more{at}.h").write_text("")
        (shared / "deep.h").write_text(f'#include "../{folder.name}/more{at}.h"\n')
        project.build()
        (folder / f"more{at}.h").write_text(more)
        project.build()
        assert name in (project.folder / "tiny.hpp").read_text()
    assert project.load().twice(21) == 42


def test_a_function_that_the_author_lacks_stops_the_build(project: Project) -> None:
    """The compiler names it; with it, all is built."""
    project.configure()
    project.build()
    more = "LOADER_EXPORT int thrice(loader_call *call, int64_t number, LOADER_OUT int64_t *tripled);\nLOADER_END_C"
    project.header.write_text(HEADER.replace("LOADER_END_C", more))
    done = project.run("--build", "build")
    assert done.returncode != 0
    assert "thrice" in done.stdout + done.stderr
    source = project.folder / "plugin.cpp"
    third = "    std::int64_t thrice(loader::Call &, std::int64_t number) override { return 3 * number; }\n};"
    source.write_text(CPP.replace("};", third, 1))
    project.build()
    assert project.load().thrice(2) == 6


@pytest.mark.parametrize("project", [name for name, tool in GENERATORS.items() if shutil.which(tool)], indirect=True)
def test_plugins_share_what_is_generated(project: Project) -> None:
    """Of one contract, in one folder or in several: it is written once, and all of them are built with it."""
    more = (
        "loader_add_plugin(tiny2 CONTRACT tiny CONTRACT_HEADER api/tiny.h BINDINGS cpp SOURCES plugin.cpp)\n"
        "add_subdirectory(below)\n"
    )
    with (project.folder / "CMakeLists.txt").open("a") as lists:
        lists.write(more)
    (project.folder / "below").mkdir()
    (project.folder / "below" / "CMakeLists.txt").write_text(
        "include_directories(..)\n"
        "loader_add_plugin(tiny3 CONTRACT tiny CONTRACT_HEADER ../api/tiny.h BINDINGS cpp .. SOURCES ../plugin.cpp)\n"
    )
    done = project.configure()
    assert done.returncode == 0, done.stderr
    assert project.run("--build", "build", "--parallel", "4").returncode == 0
    project.header.write_text(HEADER.replace("int64_t number", "int64_t value"))
    built = project.run("--build", "build", "--parallel", "4")
    assert built.returncode == 0, built.stdout + built.stderr
    assert built.stdout.count("Generating bindings") == 1
    contract = loader.Contract.from_header(project.header)
    for name in ("tiny", "tiny2", "tiny3"):
        assert loader.load(project.plugin.with_name(name + SUFFIX), contract=contract).twice(value=21) == 42


def test_without_python_the_file_that_is_there_is_used(project: Project) -> None:
    """It is left as it is, byte for byte, and may have come through a checkout with other line ends."""
    project.configure()
    project.build()
    shutil.rmtree(project.folder / "build")
    project.header.write_bytes(HEADER.replace("\n", "\r\n").encode())
    bindings = project.folder / "tiny.hpp"
    before = bindings.read_bytes()
    done = project.configure("OFF")
    assert done.returncode == 0, done.stderr
    project.build()
    assert project.load().twice(4) == 8
    assert bindings.read_bytes() == before


def test_without_python_a_file_that_is_missing_or_old_is_an_error(project: Project) -> None:
    """With the command that writes it: bindings of another header would pass what the plugin does not expect."""
    done = project.configure("OFF")
    assert done.returncode != 0
    assert "tiny.hpp does not exist" in " ".join(done.stderr.split())
    assert "Write it where Python has loader: loader bindings" in " ".join(done.stderr.split())
    project.configure()
    project.build()
    assert project.configure("OFF").returncode == 0
    project.build()
    project.header.write_text(HEADER.replace("int64_t number", "int32_t number"))
    built = project.run("--build", "build")
    assert built.returncode != 0
    assert "generated from another header" in " ".join((built.stdout + built.stderr).split())


def test_the_authors_own_file_stops_the_build(project: Project) -> None:
    """It is not overwritten."""
    own = project.folder / "tiny.hpp"
    own.write_text("// mine\n")
    project.configure()
    done = project.run("--build", "build")
    assert done.returncode != 0
    assert "was not generated, and is not overwritten" in done.stdout + done.stderr
    assert own.read_text() == "// mine\n"


@pytest.mark.skipif(shutil.which("ninja") is None, reason="needs ninja, which says when there is nothing to do")
def test_a_plugin_in_zig_is_built_into_a_folder_of_its_own(tmp_path: Path) -> None:
    """And built again when a source of it, or the header, changed, and not otherwise."""
    project = make(tmp_path / "my plugin", "Ninja", "zig made", "ZIG plugin.zig", {"plugin.zig": ZIG})
    configured = project.configure()
    if "no zig that runs was found" in configured.stdout:
        pytest.skip("zig is not installed")
    project.build()
    assert (project.folder / "made" / "tiny.zig").exists()
    assert project.load().twice(21) == 42
    assert "no work to do" in project.build()
    (project.folder / "plugin.zig").write_text(ZIG.replace("2 *", "4 *"))
    project.build()
    assert project.load().twice(21) == 84
    project.header.write_text(HEADER.replace("int64_t number", "int64_t value"))
    project.build()
    assert "pub fn twice(call: loader.Call, value: i64) !i64" in (project.folder / "made" / "tiny.zig").read_text()
    assert project.load().twice(value=21) == 84


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("BINDINGS perl SOURCES plugin.cpp", "BINDINGS is cpp, rust, go or zig, and a folder; found: 'perl'"),
        ("BINDINGS cpp a b SOURCES plugin.cpp", "BINDINGS is cpp, rust, go or zig, and a folder; found: 'cpp' a;b"),
        ("BINDINGS cpp", "it is built from one of SOURCES, CARGO, GO and ZIG"),
        ("ZIG nothing.zig", "nothing.zig does not exist"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, words: str, reason: str) -> None:
    """When CMake is run."""
    generator = "Ninja" if shutil.which("ninja") else "Unix Makefiles"
    project = make(tmp_path / "my plugin", generator, "cpp", "", {"plugin.cpp": CPP})
    made = CMAKE.replace("BINDINGS {bindings} {sources}", words)
    (project.folder / "CMakeLists.txt").write_text(made)
    done = project.configure()
    if "no zig that runs was found" in done.stdout:
        pytest.skip("zig is not installed")
    assert done.returncode != 0
    assert reason in " ".join(done.stderr.split())
