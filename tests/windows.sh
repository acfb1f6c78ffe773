#!/usr/bin/env bash
# The library on Windows: builds the extensions and plugins with MinGW, warnings being errors, and runs, in a CPython
# for Windows under Wine, tests of its own (tests/windows/checks.py) and those of the suite that have no POSIX in them.
# Documents are rendered on Linux too, and must be the same.
#
#     bash tests/windows.sh [arguments of pytest]      without arguments: the tests listed below
#
# Installs nothing: exit code 3 and what to do if something is missing. WINDOWS_WORK names the folder for all that is
# made (build/windows), PYTHON the Linux interpreter, which has this package, cffi and setuptools. 2 minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(realpath -m "${WINDOWS_WORK:-build/windows}")
kit=$work/kit site=$work/site suite=$work/suite plugins=$work/plugins
cc=x86_64-w64-mingw32-gcc-win32 cxx=x86_64-w64-mingw32-g++-win32
python=${PYTHON:-}
if [ -z "$python" ]; then
    if [ -x .venv/bin/python ]; then python=$PWD/.venv/bin/python; else python=python3; fi
fi
wine=$(command -v wine64 || ls /usr/lib/wine/wine64 2>/dev/null || true)

missing() { echo "missing: $1. $2"; exit 3; }
[ -n "$wine" ] || missing wine64 "apt-get install --no-install-recommends wine64"
for tool in $cc $cxx; do
    command -v $tool >/dev/null || missing $tool "apt-get install --no-install-recommends g++-mingw-w64-x86-64"
done
[ -e "$kit/complete" ] || missing "CPython for Windows in $kit" "bash tests/windows/kit.sh $kit"

# ---- Build -----------------------------------------------------------------------------------------------------

flags=(-O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Iinclude)

extension() { # NAME FLAG... -- SOURCE...
    local target="$site/$1.cp311-win_amd64.pyd" own=()
    shift
    while [ "$1" != -- ]; do own+=("$1"); shift; done
    shift
    $cc -std=c11 "${flags[@]}" "${own[@]}" -isystem "$kit/python/include" -Iloader/_core -shared -static-libgcc \
        -o "$target" "$@" -L"$kit/python/libs" -lpython311
}

rm -rf "$site" "$suite" "$plugins"
mkdir -p "$site" "$suite/tests" "$plugins" "$work/spool"
cp -r loader "$site"
find "$site" \( -name '*.so' -o -name '*.pyc' \) -delete
cp -r include "$site/loader/include"
mkdir -p "$site/loader/htmlize/plugins"
"$python" - "$work/_ffi.c" >/dev/null <<'EOF'
import sys
sys.path.insert(0, "loader/_core")
from build_ffi import ffibuilder
ffibuilder.emit_c_code(sys.argv[1])
EOF
extension loader/_core/_call -- loader/_core/{call,crash,text,remote,wire}/*.c &
extension loader/_core/_elf -- loader/_core/elf/*.c
extension loader/htmlize/_engine -- loader/htmlize/_engine/*.c
wait $!
objects=()
for source in loader/_core/{library,process}/*.c; do
    objects+=("$work/$(basename "$source" .c).o")
    $cc -std=c11 "${flags[@]}" -Iloader/_core -c "$source" -o "${objects[-1]}"
done
extension loader/_core/_ffi -w -- "$work/_ffi.c" "${objects[@]}" # cffi's code is not ours to warn about

cmake -S . -B "$work/cmake" -DCMAKE_TOOLCHAIN_FILE="$PWD/tests/windows/mingw.cmake" >/dev/null
cmake --build "$work/cmake" --parallel 2 >/dev/null
cp "$work"/cmake/plugins/htmlize/*.dll "$plugins"
cp "$plugins"/{tt,narcissist}.dll "$site/loader/htmlize/plugins"
gcc -std=c11 -O2 -fPIC -shared -Iinclude native_plugins/tt/tt.c -o "$plugins/tt.so"
gcc -std=c11 -O2 -fPIC -shared -Iinclude native_plugins/posts/posts.c -o "$plugins/posts.so"
g++ -std=c++17 -O2 -fPIC -shared -Iinclude native_plugins/narcissist/narcissist.cpp -o "$plugins/narcissist.so"

# ---- On Linux: read the DLLs, render the documents ---------------------------------------------------------------

PYTHONPATH=$PWD "$python" - "$plugins" <<'EOF'
import sys
from loader.image import read_image
for name, functions in {"tt": {"process_role"}, "narcissist": {"process_contents"}, "posts": {"process_role"}}.items():
    image = read_image(f"{sys.argv[1]}/{name}.dll")
    assert str(image.machine) == "PE for x86_64 windows, 64-bit", image.machine
    more = {each for each in image.exports if each.endswith("_never_blocks") or each.startswith("htmlize_abi_1_0_is_0x")}
    assert image.exports - more == {"loader_abi_1", "htmlize_abi_1_0", "hooks", *functions}, image.exports
    assert image.needed == ("KERNEL32.dll", "msvcrt.dll"), image.needed
    print(f"{name}.dll, read on Linux: {image.machine}; exports {', '.join(sorted(image.exports))}; needs {', '.join(image.needed)}")
EOF
PYTHONPATH=$PWD "$python" tests/windows/documents.py "$plugins" .so >"$work/expected.json"

# ---- On Windows --------------------------------------------------------------------------------------------------

export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" LC_ALL=C.UTF-8
[ -e "$WINEPREFIX/system.reg" ] || "$wine" wineboot -i >/dev/null 2>&1 # 7 seconds, 700 MB

ctest --test-dir "$work/cmake" --parallel 2 --output-on-failure >"$work/ctest.txt" || { cat "$work/ctest.txt"; exit 1; }
echo "the check host of plugins, under Wine: $(grep 'tests passed' "$work/ctest.txt")"

cp -r tests/*.py tests/plugins tests/windows tests/{call,host,htmlize,trust} "$suite/tests"
cp -r native_plugins include pyproject.toml "$suite"
windows() { printf 'Z:%s' "${1//\//\\}"; }
export PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE=1
PYTHONHOME=$(windows "$kit/python")
PYTHONPATH="$(windows "$site");$(windows "$kit/site");$(windows "$suite/tests/windows")"
export LOADER_TEST_SPOOL LOADER_TEST_PLUGINS LOADER_TEST_EXPECTED LOADER_TEST_ELF
LOADER_TEST_SPOOL=$(windows "$work/spool")
LOADER_TEST_PLUGINS=$(windows "$plugins")
LOADER_TEST_EXPECTED=$(windows "$work/expected.json")
LOADER_TEST_ELF=$(windows "$plugins/tt.so")

tests=(
    tests/windows/checks.py
    tests/call/test_plugin.py tests/call/test_call_{results,structs,values,threads}.py tests/call/test_limits.py
    tests/call/test_numbers.py tests/call/test_arrays.py tests/call/test_lists.py
    tests/call/test_service_{calls,failures,values}.py tests/call/test_services.py tests/host/test_host.py tests/trust/test_handshake.py
    tests/host/test_registry.py tests/htmlize/test_engine{,_failures}.py tests/host/test_load.py tests/trust/test_lockfile.py
)
without=( # what these ask for is not on Windows, or not what Wine does
    test_wrong_cpu                          # ELF files, one byte changed
    test_load_all test_load_all_strict      # files called .so
    test_constructor_of_an_accepted_plugin_runs test_loading_one_file_in_many_threads test_changed_file_runs_nothing
                                            # MinGW's getenv is not that of Python's os.environ
    test_deadline_is_measured_by_a_clock    # Python's has steps of milliseconds
    test_gil_is_released_for_slow_functions # MinGW's nanosleep takes none for less than 1 ms
    test_symbolic_link test_written_whole_or_not_at_all # links that Wine makes lead nowhere
)
if [ $# -eq 0 ]; then
    filter=$(printf ' and not %s' "${without[@]}")
    set -- "${tests[@]}" -k "${filter# and }"
fi
# Wine's files are no streams that Python for Windows takes: pipes are.
cd "$suite"
"$wine" "$kit/python/python.exe" -m pytest -p under_wine -p no:cacheprovider -o addopts= --import-mode=importlib -q \
    --basetemp="$(windows "$work/temp")" "$@" </dev/null 2>&1 | cat
