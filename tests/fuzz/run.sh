#!/usr/bin/env bash
# Fuzzes the document engine (libFuzzer under ASan and UBSan) and the readers of plugin files, SECONDS each.
#
#     bash tests/fuzz/run.sh 60
#
# Findings stay in build/fuzz. Longer by hand: the same with 3600.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
python=${PYTHON:-.venv/bin/python}
mkdir -p build/fuzz/engine build/fuzz/image
if ! command -v clang >/dev/null; then
    echo "fuzzing the engine needs clang with its fuzzer runtime" >&2
    exit 3
fi
clang -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -g -O1 -I include -I loader/htmlize/_engine \
    tests/fuzz/engine_fuzz.c loader/htmlize/_engine/{answer,engine,paths,table}.c -o build/fuzz/engine_fuzz
# New inputs go to the first folder; the kept corpus is only read.
build/fuzz/engine_fuzz -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/ build/fuzz/engine tests/fuzz/corpus/engine 2>&1 | tail -n 12
"$python" tests/fuzz/image_fuzz.py --seconds "$seconds" --seed "${RANDOM}" --keep build/fuzz/image
