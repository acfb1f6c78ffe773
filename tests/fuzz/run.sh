#!/usr/bin/env bash
# Fuzzes the document engine, the C reader of plugin files and what a host reads of a worker's shared memory (libFuzzer
# under ASan and UBSan), and all readers of plugin files (guided by coverage, then at full speed, which begins with what
# the first way found; what C reads must be what Python reads): a fifth of SECONDS each.
#
#     bash tests/fuzz/run.sh 180
#
# Findings stay in build/fuzz. Longer by hand: the same with 10800, or
#
#     python tests/fuzz/image_fuzz.py --guided --mutants 1000000
#
# Needs clang with its fuzzer runtime, and atheris (PyPI) for Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
share=$((${1:-180} / 5))
python=${PYTHON:-.venv/bin/python}
mkdir -p build/fuzz/engine build/fuzz/elf build/fuzz/lane build/fuzz/image build/fuzz/findings
if ! command -v clang >/dev/null; then
    echo "fuzzing the engine needs clang with its fuzzer runtime" >&2
    exit 3
fi
if ! "$python" -c 'import atheris' 2>/dev/null; then
    echo "fuzzing the readers by coverage needs atheris: $python -m pip install atheris" >&2
    exit 3
fi
# c NAME CORPUS SOURCES: new inputs go to the first folder; the kept corpus is only read.
c() {
    local name=$1 corpus=$2
    shift 2
    clang -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -g -O1 -I include -I loader/_core \
        -I loader/htmlize/_engine "tests/fuzz/${name}_fuzz.c" "$@" -o "build/fuzz/${name}_fuzz"
    "build/fuzz/${name}_fuzz" -max_total_time="$share" -timeout=10 -print_final_stats=1 \
        -artifact_prefix=build/fuzz/findings/ "build/fuzz/$name" "$corpus" 2>&1 | tail -n 6
}
c engine tests/fuzz/corpus/engine loader/htmlize/_engine/{answer,engine,paths,source,table}.c
c elf tests/fuzz/corpus/image loader/_core/elf/elf_{read,names}.c
c lane tests/fuzz/corpus/lane loader/_core/remote/{take,take_arrow,arrow_content}.c loader/_core/wire/arrow_{form,check}.c
image=("$python" tests/fuzz/image_fuzz.py --found build/fuzz/image --keep build/fuzz/findings --seconds "$share")
"${image[@]}" --guided 2>build/fuzz/guided.log || { tail -n 40 build/fuzz/guided.log && exit 1; }
"${image[@]}" --seed "$RANDOM"
