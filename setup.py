"""Builds what pyproject.toml cannot describe: four C extensions and, through CMake, the two shipped plugins.

    loader._core._ffi         cffi API-mode module (loader/_core/build_ffi.py and loader/_core/library)
    loader._core._elf         reads the ELF files that nearly all plugins are (loader/_core/elf)
    loader._core._call        the generic C caller (the other folders of loader/_core)
    loader/_core/loader-worker  on Linux, the program of plugins' own processes (loader/_core/worker)
    loader.htmlize._engine    the application's document engine (loader/htmlize/_engine/*.c)
    loader/htmlize/_documents/documents.so  on Linux, the engine as a plugin in plugins' own processes
    loader/htmlize/plugins/   tt and narcissist, by the same CMakeLists.txt that builds alone

In place, for work on the tree:   python setup.py build_ext --inplace
Environment: LOADER_SANITIZE=address,undefined instruments all of it, LOADER_WERROR=1 makes warnings errors,
LOADER_NO_PLUGINS=1 leaves CMake out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED_PLUGINS = ("tt", "narcissist")
PLUGIN_FOLDER = "loader/htmlize/plugins"
PLUGIN_SUFFIX = {"win32": ".dll", "cygwin": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")

#: Folders below include/ that plugin authors do not need: the kits' own tests, and what cargo built.
NOT_SHIPPED = {"endtoend", "target", "testdata", "testhost", "tests"}

#: Folders of loader/_core: a module of Python each has the C files of one or several.
CALL, ELF = ("call", "crash", "text", "remote", "wire"), ("elf",)
WORKER = ("worker", "wire")
#: What of the application's engine knows no Python.
PLAIN_ENGINE = ("answer", "engine", "paths", "source", "table")
INCLUDE_DIRS = ["include", "loader/_core"]
HEADERS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (*INCLUDE_DIRS, "loader/htmlize/_engine", "loader/htmlize/_documents")
    for path in (ROOT / folder).rglob("*.h")
)


def sources(*folders: str) -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).glob("*.c"))


def extensions() -> list[Extension]:
    wanted = {
        "loader._core._call": sources(*(f"loader/_core/{folder}" for folder in CALL)),
        "loader._core._elf": sources(*(f"loader/_core/{folder}" for folder in ELF)),
        "loader.htmlize._engine": sources("loader/htmlize/_engine"),
    }
    return [Extension(name, files) for name, files in wanted.items() if files]


class BuildNative(build_ext):
    """Compiles the extensions in parallel, then the shipped plugins with CMake."""

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()

    def build_extension(self, ext: Extension) -> None:
        unix = self.compiler.compiler_type != "msvc"
        ext.depends = sorted({*ext.depends, *HEADERS, "setup.py"})  # changed: all is compiled anew
        ext.include_dirs = [*INCLUDE_DIRS, *ext.include_dirs]
        flags = unix_flags(ext, debug=bool(self.inplace)) if unix else ["/std:c11", "/O2"]
        ext.extra_compile_args = [*(ext.extra_compile_args or []), *flags]
        if unix:
            ext.extra_link_args = [*(ext.extra_link_args or []), *sanitizer_flags()]
        super().build_extension(ext)

    def run(self) -> None:
        super().run()
        if worker_wanted():
            self._build_worker()
            self._build_documents()
        if plugins_wanted():
            self._build_plugins()

    def _build_worker(self) -> None:
        """The program. It opens plugins, so it is linked with the dynamic linker's library."""
        files = sources(*(f"loader/_core/{folder}" for folder in WORKER))
        target = Path(self._outputs_of_workers()[0])
        objects = self._compiled(files, target, "-fPIE")
        if objects:
            # libm too: for plugins that do not name it, and find it in Python's own process.
            link = ["-pie", "-pthread", "-Wl,--no-as-needed", "-lm", *sanitizer_flags()]
            self.compiler.link_executable(
                objects, target.name, output_dir=str(target.parent), libraries=["dl"], extra_postargs=link
            )

    def _build_documents(self) -> None:
        """The application's engine as a plugin."""
        engine = [f"loader/htmlize/_engine/{name}.c" for name in PLAIN_ENGINE]
        target = Path(self._outputs_of_workers()[1])
        objects = self._compiled(
            [*sources("loader/htmlize/_documents"), *engine, "loader/_core/text/utf8.c"], target, "-fPIC"
        )
        if objects:
            self.compiler.link_shared_object(
                objects, target.name, output_dir=str(target.parent), extra_postargs=["-pthread", *sanitizer_flags()]
            )

    def _compiled(self, files: list[str], target: Path, code: str) -> list[str]:
        """The objects of a target that is older than what it is made of; none if it is not."""
        newest = max(os.stat(path).st_mtime for path in (*files, *HEADERS, "setup.py"))
        if target.exists() and target.stat().st_mtime > newest and not self.force:
            return []
        flags = ["-std=c11", "-O3", code, "-pthread", "-fvisibility=hidden", "-g" if self.inplace else "-g0"]
        flags += ["-Wall", "-Wextra", *(["-Werror"] if os.environ.get("LOADER_WERROR") else []), *sanitizer_flags()]
        self.mkpath(str(target.parent))
        where = os.path.join(self.build_temp, target.stem)
        objects: list[str] = self.compiler.compile(
            files, output_dir=where, include_dirs=INCLUDE_DIRS, extra_postargs=flags
        )
        return objects

    def _outputs_of_workers(self) -> list[str]:
        top = ROOT if self.inplace else Path(self.build_lib)
        return [str(top / path) for path in ("loader/_core/loader-worker", "loader/htmlize/_documents/documents.so")]

    def _build_plugins(self) -> None:
        cmake = shutil.which("cmake")
        if cmake is None:
            raise SystemExit("building the shipped plugins needs cmake >= 3.20: pip install cmake ninja")
        build = Path(self.build_temp).resolve() / "plugins"
        if not self.inplace:  # an earlier build's cache may name a cmake, ninja or folder that is gone
            shutil.rmtree(build, ignore_errors=True)
        configure = [
            cmake,
            "-S", str(ROOT),
            "-B", str(build),
            f"-DCMAKE_BUILD_TYPE={'Debug' if self.debug else 'Release'}",
            f"-DLOADER_SANITIZE={os.environ.get('LOADER_SANITIZE', '')}",
            f"-DLOADER_WARNINGS_AS_ERRORS={'ON' if os.environ.get('LOADER_WERROR') else 'OFF'}",
            "-DLOADER_ONLY_SHIPPED=ON",
        ]  # fmt: skip
        if shutil.which("ninja") and not (build / "CMakeCache.txt").exists():
            configure += ["-G", "Ninja"]
        subprocess.run(configure, check=True)
        command = [cmake, "--build", str(build), "--parallel", str(self.parallel or 1), "--config", "Release"]
        subprocess.run([*command, "--target", *SHIPPED_PLUGINS], check=True)
        for target in map(Path, self._plugin_outputs()):
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(build / "plugins" / "htmlize" / target.name), str(target))

    def _plugin_outputs(self) -> list[str]:
        top = ROOT if self.inplace else Path(self.build_lib)
        return [str(top / PLUGIN_FOLDER / f"{name}{PLUGIN_SUFFIX}") for name in SHIPPED_PLUGINS]

    def get_outputs(self) -> list[str]:
        worker = self._outputs_of_workers() if worker_wanted() else []
        return [*super().get_outputs(), *worker, *(self._plugin_outputs() if plugins_wanted() else [])]


class BuildPython(build_py):
    """Also copies include/ (headers, Rust crate, Go module) to loader/include: plugin authors need it.

    An editable install has no copy: loader/author/sdk.py finds the folder in the tree.
    """

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._include_files():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def _include_files(self) -> list[tuple[str, str]]:
        return [
            (str(path), str(Path(self.build_lib) / "loader" / path.relative_to(ROOT)))
            for path in sorted((ROOT / "include").rglob("*"))
            if path.is_file()
            and not NOT_SHIPPED.intersection(path.relative_to(ROOT).parts)
            and not path.name.endswith("_test.go")
        ]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        copied = [] if self.editable_mode else [target for _, target in self._include_files()]
        return [*super().get_outputs(include_bytecode), *copied]


def sanitizer_flags() -> list[str]:
    wanted = os.environ.get("LOADER_SANITIZE")
    return [f"-fsanitize={wanted}", "-fno-omit-frame-pointer", "-g"] if wanted else []


def unix_flags(ext: Extension, *, debug: bool) -> list[str]:
    flags = ["-std=c11", "-O3", "-fvisibility=hidden", "-g" if debug else "-g0"]
    flags += ["-fexceptions"]  # for a clean-up, no exceptions: see NOT_UNWOUND in loader/_core/call/service.c
    if ext.name != "loader._core._ffi":  # cffi's generated code is not ours to warn about
        flags += ["-Wall", "-Wextra"] + (["-Werror"] if os.environ.get("LOADER_WERROR") else [])
    return flags + sanitizer_flags()


def worker_wanted() -> bool:
    return sys.platform.startswith("linux") and (ROOT / "loader/_core/worker").is_dir()


def plugins_wanted() -> bool:
    return (ROOT / "native_plugins/tt").is_dir() and not os.environ.get("LOADER_NO_PLUGINS")


def cffi_modules() -> list[str]:
    return ["loader/_core/build_ffi.py:ffibuilder"] if (ROOT / "loader/_core/build_ffi.py").exists() else []


class Native(Distribution):
    """A distribution that is never pure Python: the wheel gets the platform's tag."""

    def has_ext_modules(self) -> bool:
        return True


setup(
    distclass=Native,
    ext_modules=extensions(),
    cffi_modules=cffi_modules(),
    cmdclass={"build_ext": BuildNative, "build_py": BuildPython},
)
