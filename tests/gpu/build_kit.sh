#!/usr/bin/env bash
# Builds the kit into a folder that runs on a machine with an NVIDIA card and nothing but its driver (and the CUDA
# libraries, for cublasLt):
#   build_kit.sh [FOLDER]      default: build/gpu_kit
#   SERAPH_CUDA_ARCHS   generations, "90a" by default ("80;90a;ptx")     SERAPH_JOBS   compiler processes
# Needs nvcc here, no card. Everything but libc is linked statically.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
kit=${1:-$root/build/gpu_kit}
build=${SERAPH_BUILD_DIR:-$root/build/static}
libraries=$build/libraries

mkdir -p "$build" "$kit"
"$here/static_libraries.sh" "$libraries"
cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DSERAPH_TESTS=ON -DSERAPH_STATIC=ON -DSERAPH_CUDA=on \
  -DSERAPH_CUDA_ARCHS="${SERAPH_CUDA_ARCHS:-90a}" -DCMAKE_PREFIX_PATH="$libraries"
cmake --build "$build" --target gpu_programs ${SERAPH_JOBS:+-j "$SERAPH_JOBS"}

mkdir -p "$kit/golden/models"
for program in tests/gpu/gpu_conformance tests/gpu/gpu_end_to_end tests/gpu/gpu_bench seraph; do
  objcopy --strip-debug "$build/$program" "$kit/$(basename "$program")"
done
cp -r "$root"/tests/golden/models/. "$kit/golden/models/"
cp -r "$root/tests/golden/sampling" "$kit/golden/"
cp "$here/run.sh" "$here/torch_compare.py" "$here/README.md" "$kit/"

# What they need of the system: libc and the loader, nothing else.
for program in gpu_conformance gpu_end_to_end gpu_bench seraph; do
  others=$(readelf -d "$kit/$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -Ev '^(libc|libm|ld-linux-x86-64)\.so' || true)
  if [ -n "$others" ]; then
    echo "$program needs $others" >&2
    exit 1
  fi
done
echo "the kit is in $kit: copy it to a machine with a card and call run.sh there"
