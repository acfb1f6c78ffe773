"""Compiles one extension module. Run by build.py: python build_extension.py SOURCE TARGET.

The compiler is called as each one's documentation says, with the same optimisation for all. nanobind's own CMake
function would ask for small code (-Os) in its place, which is slower.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

source, target = (Path(path).resolve() for path in sys.argv[1:])
COMMON = ["-O3", "-DNDEBUG", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{sysconfig.get_path('include')}"]


def run(*command, **more):
    subprocess.run([str(part) for part in command], check=True, env=os.environ | more)


def compile_c(*sources):
    run("cc", "-std=c11", *COMMON, *sources, "-o", target)


def compile_cython():
    generated = target.with_suffix(".c")
    run(sys.executable, "-m", "cython", source, "-o", generated)
    compile_c(generated)


def compile_cpp(*more):
    run("c++", "-std=c++17", *COMMON, *more, source, "-o", target)


def compile_nanobind():
    import nanobind

    library = Path(nanobind.source_dir())
    robin_map = library.parent / "ext/robin_map/include"
    compile_cpp("-fno-strict-aliasing", f"-I{nanobind.include_dir()}", f"-I{robin_map}", library / "nb_combined.cpp")


def compile_pybind11():
    import pybind11

    compile_cpp(f"-I{pybind11.get_include()}")


def compile_pyo3():
    """Cargo sees for itself what is up to date."""
    made = target.parent / "pyo3"
    build = ["cargo", "build", "-q", "--release", "--locked", "--manifest-path", source / "Cargo.toml"]
    run(*build, PYO3_PYTHON=sys.executable, PYO3_BUILD_EXTENSION_MODULE="1", CARGO_TARGET_DIR=str(made))
    shutil.copy(made / "release/libpyo3_extension.so", target)


target.parent.mkdir(parents=True, exist_ok=True)
if source.is_dir():
    compile_pyo3()
elif not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
    {
        "c_extension": lambda: compile_c(source),
        "c_extension_str": lambda: compile_c(source),
        "cython_extension": compile_cython,
        "nanobind_extension": compile_nanobind,
        "pybind11_extension": compile_pybind11,
    }[source.stem]()
