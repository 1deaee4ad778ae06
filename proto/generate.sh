#!/usr/bin/env bash
# Generates tuner/v1 from proto/, with stubs for the type checker.
#   proto/generate.sh [OUT]     OUT is the repository's root unless given
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$(dirname "$here")}
protoc=("${PYTHON:-python}" -m grpc_tools.protoc -I "$here")
"${protoc[@]}" --python_out="$out" --mypy_out="quiet:$out" "$here"/tuner/v1/*.proto
"${protoc[@]}" --grpc_python_out="$out" --mypy_grpc_out="quiet:$out" "$here"/tuner/v1/*_service.proto
