#!/usr/bin/env bash
# The C core and the document engine under ThreadSanitizer: builds a copy of the tree with it, in a temporary
# folder, and runs there the tests that have several threads. The first finding fails the run.
#
#     bash tests/tsan.sh [arguments of pytest]      without arguments: the tests listed below
#
# PYTHON names the interpreter, which has cffi, setuptools and pytest. Needs gcc, and setarch of util-linux.
#
# Python itself is not instrumented. That is no loss: the GIL is a mutex and a condition of pthreads, which
# ThreadSanitizer sees whoever calls them, so what one thread writes under the GIL and another reads under it is
# in order; and memory that Python writes is not looked at.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-}
if [ -z "$python" ]; then
    if [ -x .venv/bin/python ]; then python=$PWD/.venv/bin/python; else python=python3; fi
fi
tests=(tests/test_threads.py tests/test_load.py tests/test_limits.py tests/test_call_*.py tests/test_plugin.py
       tests/test_service*.py tests/test_engine.py tests/test_registry.py)

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r CMakeLists.txt LICENSE README.md include loader native_plugins pyproject.toml setup.py tests "$copy"
cd "$copy"
find . -name '*.so' -delete

export CC=gcc CXX=g++ LOADER_SANITIZE=thread LOADER_NO_PLUGINS=1 PYTHONDONTWRITEBYTECODE=1
"$python" setup.py -q build_ext --inplace

# glibc's linker orders the memory of thread-local variables by a lock of its own, which ThreadSanitizer cannot see.
printf '%s\n' 'race:_dl_deallocate_tls' 'race:_dl_allocate_tls' >suppressions
export LD_PRELOAD="$(gcc -print-file-name=libtsan.so) $(gcc -print-file-name=libstdc++.so)"
export PYTHONPATH="$copy" TSAN_OPTIONS="halt_on_error=1:exitcode=66:report_signal_unsafe=0:die_after_fork=0:suppressions=$copy/suppressions"
# Its shadow memory wants addresses that random placement may have taken.
run=(setarch "$(uname -m)" -R "$python")
"${run[@]}" -c 'import loader._core._call as call, os; assert os.path.realpath(call.__file__).startswith(os.getcwd())'
if [ $# -eq 0 ]; then
    set --
    for test in "${tests[@]}"; do if [ -e "$test" ]; then set -- "$@" "$test"; fi; done
    set -- "$@" -k "thread or documents or many or while" -m "not slow"
fi
"${run[@]}" -m pytest -q -p no:cacheprovider --capture=sys "$@"
