#!/usr/bin/env bash
# Fuzzes the document engine (libFuzzer under ASan and UBSan) and the readers of plugin files (guided by coverage,
# then at full speed, which begins with what the first way found): a third of SECONDS each.
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
share=$((${1:-180} / 3))
python=${PYTHON:-.venv/bin/python}
mkdir -p build/fuzz/engine build/fuzz/image build/fuzz/findings
if ! command -v clang >/dev/null; then
    echo "fuzzing the engine needs clang with its fuzzer runtime" >&2
    exit 3
fi
if ! "$python" -c 'import atheris' 2>/dev/null; then
    echo "fuzzing the readers by coverage needs atheris: $python -m pip install atheris" >&2
    exit 3
fi
clang -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -g -O1 -I include -I loader/htmlize/_engine \
    tests/fuzz/engine_fuzz.c loader/htmlize/_engine/{answer,engine,paths,table}.c -o build/fuzz/engine_fuzz
# New inputs go to the first folder; the kept corpus is only read.
build/fuzz/engine_fuzz -max_total_time="$share" -timeout=10 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/findings/ build/fuzz/engine tests/fuzz/corpus/engine 2>&1 | tail -n 6
image=("$python" tests/fuzz/image_fuzz.py --found build/fuzz/image --keep build/fuzz/findings --seconds "$share")
"${image[@]}" --guided 2>build/fuzz/guided.log || { tail -n 40 build/fuzz/guided.log && exit 1; }
"${image[@]}" --seed "$RANDOM"
