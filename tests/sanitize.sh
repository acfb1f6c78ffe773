#!/usr/bin/env bash
# The C core, the document engine and the plugins of the tests under AddressSanitizer and UBSan: builds a copy of
# the tree with both, in a temporary folder, and runs there the tests that C has a part in. The first finding
# ends the run.
#
#     bash tests/sanitize.sh [arguments of pytest]      without arguments: the tests listed below
#
# PYTHON names the interpreter, which has cffi, setuptools, pytest and hypothesis. Needs gcc.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-}
if [ -z "$python" ]; then
    if [ -x .venv/bin/python ]; then python=$PWD/.venv/bin/python; else python=python3; fi
fi
tests=(
    tests/call/test_call_*.py tests/call/test_plugin.py tests/call/test_service*.py tests/call/test_limits.py
    tests/call/test_bad_input.py tests/call/test_leaks.py tests/call/test_out_of_memory.py tests/host/test_load.py
    tests/host/test_host.py tests/host/test_pickle.py tests/host/test_import.py tests/library/test_library.py
    tests/library/test_sealed.py tests/library/test_mapped_files.py tests/host/test_same_file.py
    tests/call/test_plugin_path.py tests/call/test_decode.py tests/call/test_records.py tests/call/test_choices.py
    tests/call/test_numbers.py tests/call/test_arrays.py tests/call/test_lists.py tests/call/test_arrow*.py
    tests/call/test_bad_values.py tests/contract/test_header_arrow.py
    tests/call/test_instances.py tests/call/test_instance_threads.py tests/call/test_instances_under_way.py
    tests/call/test_hostile_instances.py tests/call/test_interfaces.py
    tests/call/test_recursion.py tests/htmlize/test_freed.py tests/htmlize/test_long_roles.py
    tests/htmlize/test_engine*.py
    tests/isolation/test_hostile_worker.py
    tests/image/test_image_quick.py tests/image/test_image_damaged.py
)

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r CMakeLists.txt LICENSE README.md include loader native_plugins pyproject.toml setup.py tests "$copy"
cd "$copy"
find . -name '*.so' -delete

export CC=gcc CXX=g++ LOADER_SANITIZE=address,undefined LOADER_NO_PLUGINS=1 PYTHONDONTWRITEBYTECODE=1
"$python" setup.py -q build_ext --inplace

# Python itself is not instrumented, so the run time must be there before it, and with it libstdc++, whose
# __cxa_throw it looks up at the start. Without PYTHONMALLOC objects would lie in pools that nobody watches.
# Leaks: Python leaves much behind at exit; tests/call/test_leaks.py looks for ours.
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)"
export PYTHONMALLOC=malloc PYTHONPATH="$copy"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
"$python" -c 'import loader._core._call as call, os; assert os.path.realpath(call.__file__).startswith(os.getcwd())'
if [ $# -eq 0 ]; then set -- "${tests[@]}"; fi
# --capture=sys: what a sanitizer says before it ends the process comes through.
"$python" -m pytest -q -p no:cacheprovider --capture=sys "$@"
