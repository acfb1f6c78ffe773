"""Builds all that is measured into build/benchmarks: ours, and the peers from their published packages.

What is missing on a machine is not an error: the systems that need it are skipped, with the reason.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import documents

if TYPE_CHECKING:
    from .systems import System

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = HERE / "peers"
FOLDER = ROOT / "build" / "benchmarks"
MANY = 1000  # plugins of load-1000
GO_MODULE = PEERS / "go"
#: Systems that are an extension module -> its source; the module has the source's name.
EXTENSIONS = {
    "c-extension": PEERS / "extensions/c_extension.c",
    "c-extension-str": PEERS / "extensions/c_extension_str.c",
    "nanobind": PEERS / "extensions/nanobind_extension.cpp",
    "pybind11": PEERS / "extensions/pybind11_extension.cpp",
    "cython": PEERS / "extensions/cython_extension.pyx",
    "pyo3": PEERS / "extensions/pyo3_extension",
}

Say = Callable[[str], None]


@dataclass
class Built:
    """What there is to measure, in `folder`, and why the rest is not: need -> reason."""

    folder: Path
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The interpreter with the peers installed."""
        return self.folder / "venv" / "bin" / "python"

    def reason_to_skip(self, system: System) -> str | None:
        """Why a system cannot be measured here, or None."""
        for need in (*system.needs, f"system:{system.name}", "go-host:" + system.host):
            if need in self.missing:
                return self.missing[need]
        return None


class BuildError(Exception):
    """A step that failed; its text is the reason that is shown."""


def environment(**more: str) -> dict[str, str]:
    """The environment of builds and hosts: byte code may be cached (imports are measured with it)."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"BENCHMARKS": str(FOLDER)} | more


def _run(command: list[str | Path], folder: Path = ROOT, **more: str) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = [line for line in (done.stderr + done.stdout).strip().splitlines() if line.strip()][-6:]
        shown = " ".join(str(part) for part in command[:4])
        raise BuildError(f"`{shown} …` failed: " + " | ".join(last))


def _stamp(path: Path, digest: str, work: Callable[[], None]) -> None:
    """Does the work unless the stamp says that it was done for this digest."""
    if not path.exists() or path.read_text() != digest:
        work()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(digest)


def build(say: Say, systems: list[System], folder: Path = FOLDER, checkout: Path = ROOT) -> Built:
    """Builds what the chosen systems need, of what is not up to date. `checkout`: this loader's sources."""
    folder.mkdir(parents=True, exist_ok=True)
    built = Built(folder)
    for tool in ("cargo", "go"):
        if shutil.which(tool) is None:
            built.missing[tool] = f"{tool} is not installed"
    hosts = sorted({system.host for system in systems} - {"python"})
    with ThreadPoolExecutor(3) as crew:  # one waits for downloads while another compiles
        parts = [crew.submit(_python, built, systems, checkout, say), crew.submit(_go, built, hosts, say)]
        if any(system.name == "polyplug" for system in systems) and "cargo" not in built.missing:
            parts.append(crew.submit(_polyplug, built, say))
        for part in parts:
            part.result()
    say("probing")
    _probe(built, systems)
    return built


def _python(built: Built, systems: list[System], checkout: Path, say: Say) -> None:
    """All but the Go programs."""
    say("documents")
    documents.write_all(built.folder / "documents")
    say("virtual environment with the Python peers")
    _venv(built)
    say("this loader, as a wheel")
    _loader(built, checkout)
    say("plugins of this loader, and the C parts")
    _plugins(built)
    _extensions(built, systems, say)
    _many(built.folder, built.folder / "ours")


def already_built(systems: list[System], folder: Path = FOLDER) -> Built:
    """What an earlier run has built. Builds and downloads nothing."""
    built = Built(folder)
    ready = (folder / "loader.stamp").exists() and (folder / "ours/libplain.so").exists()
    for system in systems:
        target = built.python if system.host == "python" else folder / "go" / system.host
        if not (ready and target.exists()):
            reason = "is not built here: python -m tests.benchmarks --build-only"
            built.missing[f"system:{system.name}"] = f"{system.name} {reason}"
    targets = {name: folder / "extensions" / f"{source.stem}.so" for name, source in EXTENSIONS.items()}
    for name, target in (targets | {"polyplug": folder / "polyplug/bundle"}).items():
        if not target.exists():
            built.missing.setdefault(f"system:{name}", f"{name} is not built here")
    if ready:
        _probe(built, systems)
    return built


def _venv(built: Built) -> None:
    wanted = HERE / "requirements.txt"

    def work() -> None:
        shutil.rmtree(built.folder / "venv", ignore_errors=True)
        (built.folder / "loader.stamp").unlink(missing_ok=True)  # this loader goes with it
        _run([sys.executable, "-m", "venv", built.folder / "venv"])
        pip = [built.python, "-m", "pip", "install", "-q", "--only-binary=:all:"]
        try:
            _run([*pip, "-r", wanted])
        except BuildError:  # one that cannot be had here must not take the others along
            for line in wanted.read_text().splitlines():
                if line and not line.startswith("#"):
                    try:
                        _run([*pip, "--no-deps", line])
                    except BuildError as error:
                        built.missing[f"pip:{line.partition('==')[0]}"] = str(error)
            _run([*pip, "sniffio", "pycparser", "typing_extensions"])

    _stamp(built.folder / "venv.stamp", sys.version + wanted.read_text(), work)


SOURCE_SUFFIXES = {".py", ".pyi", ".c", ".h", ".hpp", ".cpp", ".cmake", ".json", ".map", ".typed"}
SOURCE_FOLDERS = ("loader", "include", "native_plugins")
SOURCE_FILES = ("setup.py", "pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", "MANIFEST.in")


def _loader(built: Built, checkout: Path) -> None:
    """The wheel is built from a copy: a build in the tree would meet other builds there."""
    digest = hashlib.sha256()
    files = [path for name in SOURCE_FOLDERS for path in sorted((checkout / name).rglob("*"))]
    for path in files:
        if path.is_file() and path.suffix in SOURCE_SUFFIXES:
            digest.update(path.read_bytes())

    def work() -> None:
        copy = built.folder / "source"
        shutil.rmtree(copy, ignore_errors=True)
        for name in SOURCE_FOLDERS:
            ignored = shutil.ignore_patterns("*.so", "__pycache__", "target", "_ffi.c")
            shutil.copytree(checkout / name, copy / name, ignore=ignored)
        for name in SOURCE_FILES:
            shutil.copy(checkout / name, copy)
        pip = [
            built.python,
            "-m",
            "pip",
            "install",
            "-q",
            "--force-reinstall",
            "--no-deps",
            "--no-build-isolation",
        ]
        _run([*pip, copy])
        _run([built.python, "-c", "import loader.htmlize"], built.folder)

    _stamp(built.folder / "loader.stamp", digest.hexdigest(), work)


def _plugins(built: Built) -> None:
    if shutil.which("cmake") is None:
        raise BuildError("cmake is not installed: pip install cmake ninja")
    ours = built.folder / "ours"
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    _run(["cmake", "-S", PEERS / "ours", "-B", ours, "-DCMAKE_BUILD_TYPE=Release", *generator])
    _run(["cmake", "--build", ours])
    for system, script, source, target in (
        ("cffi-api", "build_cffi_api.py", PEERS / "ours/c/plain.c", built.folder / "cffi"),
        ("wasmtime", "build_wasm.py", PEERS / "wasm", built.folder / "wasm"),
        ("tvm-ffi", "build_tvm.py", PEERS / "ours/c/tvm.cpp", built.folder / "tvm/tt.so"),
    ):
        try:
            _run([built.python, PEERS / "python" / script, source, target])
        except BuildError as error:
            built.missing[f"system:{system}"] = str(error)


def _extensions(built: Built, systems: list[System], say: Say) -> None:
    """What an application's author would compile in place of a plugin; each by itself."""
    for system in systems:
        source = EXTENSIONS.get(system.name)
        if source is None or any(need in built.missing for need in system.needs):
            continue
        say(f"extension module of {system.name}")
        target = built.folder / "extensions" / f"{source.stem}.so"
        try:
            _run([built.python, PEERS / "python/build_extension.py", source, target])
        except BuildError as error:
            built.missing[f"system:{system.name}"] = str(error)


def _polyplug(built: Built, say: Say) -> None:
    """Needs nothing of the virtual environment; its generator is compiled first."""
    say("polyplug's generator and plugin")
    try:
        script = PEERS / "python" / "build_polyplug.py"
        _run([sys.executable, script, PEERS / "polyplug", built.folder / "polyplug"])
    except BuildError as error:
        built.missing["system:polyplug"] = str(error)


def _many(folder: Path, ours: Path) -> None:
    """Plugin files for the load jobs: no two have the same bytes or, where it can be told, the same roles."""
    written = b"role:tt\nrole:fail\nrole:callback\n"
    for language, count in (("c", MANY), ("cpp", 6), ("rust", 6), ("go", 6)):
        source = ours / "plugins/htmlize" / f"bench_{language}.so"
        if source.exists():
            image = source.read_bytes()
            for number in range(count):  # Go's image has no such text: its roles are told one by one
                renamed = b"role:" + f"load_{number:04d}".encode()
                renamed = renamed.ljust(len(written) - 1, b"_") + b"\n"
                once = image.count(written) == 1
                data = image.replace(written, renamed) if once else image + number.to_bytes(2, "little")
                _write(folder / "plugins" / language / f"tt{number}.so", data)
    extensions = [(source.stem, folder / "extensions" / f"{source.stem}.so") for source in EXTENSIONS.values()]
    for name, source in (("plain", ours / "libplain.so"), ("tvm", folder / "tvm/tt.so"), *extensions):
        for number in range(6 if source.exists() else 0):
            _write(folder / "plugins" / name / f"tt{number}.so", source.read_bytes() + bytes([number]))
    for number in range(MANY):
        source = f'"""Plugin {number}."""\n\n\ndef process_role(role, text, post):\n'
        source += '    return "<tt>" + text + "</tt>"\n'
        _write(folder / "plugins/python" / f"tt{number}.py", source.encode())


def _write(path: Path, data: bytes) -> None:
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _go(built: Built, hosts: list[str], say: Say) -> None:
    """Host programs and plugins in Go. Each is built by itself: one that fails takes no other along."""
    if "go" in built.missing:
        return
    binaries = built.folder / "go"
    binaries.mkdir(exist_ok=True)
    for host in hosts:
        say(f"Go host {host}")
        try:
            for package in sorted((GO_MODULE / host).rglob("main.go")):
                name = package.parent.relative_to(GO_MODULE).as_posix().replace("/", "-")
                if (package.parent / "BUILDMODE").exists():
                    _go_plugins(package.parent, binaries, name)
                else:
                    _go_build(package.parent, binaries / name)
        except BuildError as error:
            built.missing["go-host:" + host] = str(error)


def _go_build(package: Path, target: Path, *flags: str) -> None:
    where = "./" + package.relative_to(GO_MODULE).as_posix()
    _run(
        ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", *flags, "-o", target, where],
        GO_MODULE,
    )


def _go_plugins(package: Path, binaries: Path, name: str) -> None:
    """Six plugins of one source: go makes a plugin's path, which must differ, of the contents of its file."""
    for number in range(6):
        source = binaries / "source" / f"{name}{number}" / "main.go"
        _write(source, (package / "main.go").read_bytes() + f"\n// Plugin {number}.\n".encode())
        target = binaries / f"{name}{number}.so"
        flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-buildmode=plugin"]
        _run(["go", "build", *flags, "-o", target, source], GO_MODULE)


def _probe(built: Built, systems: list[System]) -> None:
    """Can the Python peers be imported, and the tools run? Is there a program of ours for each system?"""
    for need in sorted({need for system in systems for need in system.needs}):
        kind, _, what = need.partition(":")
        if need not in built.missing and kind in {"pip", "run"}:
            command = ["-c", f"import {what}"] if kind == "pip" else ["-m", *what.split()]
            done = subprocess.run(
                [built.python, *command], capture_output=True, text=True, env=environment(), check=False
            )
            if done.returncode != 0:
                last = (done.stderr.strip().splitlines() or ["?"])[-1]
                built.missing[need] = f"{what.split()[0]} cannot be used here: {last.replace(str(built.folder), '…')}"
    for system in systems:
        program = PEERS / "python" / f"peer_{system.name.replace('-', '_')}.py"
        if not (program if system.host == "python" else GO_MODULE / system.host).exists():
            built.missing.setdefault(f"system:{system.name}", "no program for it yet")
