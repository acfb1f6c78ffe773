#!/usr/bin/env bash
# The C core, the document engine and the plugins of the tests under ThreadSanitizer, in a copy of the tree: threads
# that call, render, load, set limits, crash and are watched at once (tests/tsan_threads.py). Then the same twice
# with a race on purpose, in a plugin and in the core, which must be found: else the tool saw nothing at all.
#
#     bash tests/tsan.sh                       about a minute and a half; SECONDS_OF_WORK=600 for longer
#     bash tests/tsan.sh arguments of pytest   those tests under it instead
#
# PYTHON names the interpreter, which has cffi, setuptools and, for the second way, pytest. Needs gcc, and setarch
# of util-linux.
#
# Python itself is not instrumented. That is no loss: the GIL is a mutex and a condition of pthreads, which
# ThreadSanitizer sees whoever calls them, so what one thread writes under the GIL and another reads under it is
# in order; and memory that only Python touches is not looked at. What would be reported and is not ours stands,
# with its reason, in tests/tsan.suppressions.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-}
if [ -z "$python" ]; then
    if [ -x .venv/bin/python ]; then python=$PWD/.venv/bin/python; else python=python3; fi
fi
seconds=${SECONDS_OF_WORK:-40}

top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
copy=$top/tree
mkdir "$copy" "$top/plugins"
cp -r CMakeLists.txt LICENSE README.md include loader native_plugins pyproject.toml setup.py tests "$copy"
cd "$copy"
find . -name '*.so' -delete
export CC=gcc CXX=g++ LOADER_SANITIZE=thread LOADER_NO_PLUGINS=1 PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$copy XDG_CACHE_HOME=$top/cache

plugin() { # plugin NAME SOURCE [-D...]
    gcc -fsanitize=thread -g -O1 -std=c11 -fPIC -shared -fvisibility=hidden -pthread -Iinclude -Itests/plugins \
        "tests/plugins/$2" "${@:3}" -o "$top/plugins/$1.so"
}

# Its shadow memory wants addresses that random placement may have taken. Where a container forbids to turn that
# off, it mostly works all the same.
fixed=(setarch "$(uname -m)" -R)
"${fixed[@]}" true 2>/dev/null || fixed=()

sanitized() { # sanitized OPTIONS COMMAND...
    env LD_PRELOAD="$(gcc -print-file-name=libtsan.so) $(gcc -print-file-name=libstdc++.so)" \
        TSAN_OPTIONS="exitcode=66:die_after_fork=0:suppressions=$copy/tests/tsan.suppressions:$1" \
        "${fixed[@]}" "$python" "${@:2}"
}

# must_be_found WHAT FILE: a run that is to be ended by a race in that file.
must_be_found() {
    local status=0
    sanitized halt_on_error=1 tests/tsan_threads.py "$top/plugins" --seconds 30 >"$top/control" 2>&1 || status=$?
    if [ $status -ne 66 ] || ! grep -q "SUMMARY: ThreadSanitizer: data race $2:" "$top/control"; then
        tail -n 60 "$top/control"
        echo "control: the race in $1 was NOT found" >&2
        exit 1
    fi
}

"$python" setup.py -q build_ext --inplace
sanitized "" -c 'import loader._core._call as call, os; assert os.path.realpath(call.__file__).startswith(os.getcwd())'
if [ $# -gt 0 ]; then
    sanitized halt_on_error=1 -m pytest -q -p no:cacheprovider --capture=sys "$@"
    exit
fi

plugin probe probe.c
plugin lend lend.c
plugin stateful stateful.c
plugin count counter.c
plugin contents counter.c -DCONTENTS
status=0
sanitized "halt_on_error=0:log_path=$top/found" tests/tsan_threads.py "$top/plugins" --seconds "$seconds" \
    >"$top/done" || status=$?
findings=$(cat "$top"/found.* 2>/dev/null | grep -c '^WARNING: ThreadSanitizer' || true)
cat "$top"/found.* 2>/dev/null || true

if [ "$status" -eq 0 ]; then
    plugin count counter.c -DRACE
    must_be_found "a plugin" tests/plugins/counter.c
    plugin count counter.c
    # Each call that lets the GIL go counts itself, after it has done so.
    sed -i 's/c->thread = PyEval_SaveThread();/(c->thread = PyEval_SaveThread(), core_main_thread++);/' \
        loader/_core/call/gil.c
    grep -q 'core_main_thread++);' loader/_core/call/gil.c # else the control has to be made anew
    "$python" setup.py -q build_ext --inplace
    must_be_found "the core" loader/_core/call/gil.c
    control="found, in a plugin and in the core"
else
    control="not tried"
fi
echo "$(cat "$top/done"): $findings findings; control: $control"
exit "$status"
