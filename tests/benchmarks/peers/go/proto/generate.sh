#!/usr/bin/env bash
# Makes bench.pb.go, bench_grpc.pb.go and peers/python/bench_pb2*.py of bench.proto. The results are committed.
# Needs grpcio-tools in the Python named by PYTHON, and protoc-gen-go and protoc-gen-go-grpc on the PATH.
set -euo pipefail
cd "$(dirname "$0")"
"${PYTHON:-python3}" -m grpc_tools.protoc -I. --go_out=. --go_opt=paths=source_relative \
    --go-grpc_out=. --go-grpc_opt=paths=source_relative \
    --python_out=../../python --grpc_python_out=../../python bench.proto
sed -i -E '/(please refer to|See) https?:/d' bench_grpc.pb.go
gofmt -w .
