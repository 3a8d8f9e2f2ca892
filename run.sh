#!/usr/bin/env bash
# Installs what is missing, builds Release and starts `seraph run`. Arguments go to `seraph run`.
#   ./run.sh [--build-only] [--with-cuda] [flags of seraph run]
#   --with-cuda   builds for NVIDIA GPUs, with a compiler from PyPI in the build folder where the system has none
#   SERAPH_BUILD_DIR   build folder (default: build)      SERAPH_JOBS   compiler processes (default: all cores)
#   SERAPH_CUDA   auto (for the GPUs of this machine, where nvcc is found), on (for all), sim (a simulated one), off
#   SERAPH_CUDA_ARCHS   GPU generations to build for, as in "80;90a;ptx" (default: this machine's, or all)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=packaging/setup.sh
source "$root/packaging/setup.sh"

build_only=0
with_cuda=0
args=()
for arg in "$@"; do
  case $arg in
    --build-only) build_only=1 ;;
    --with-cuda) with_cuda=1 SERAPH_CUDA=on ;;
    *) args+=("$arg") ;;
  esac
done

build_dir=${SERAPH_BUILD_DIR:-$root/build}
install_packages "${build_packages[@]}"
install_page_packages "$root"
options=(-DCMAKE_BUILD_TYPE=Release -DSERAPH_TESTS=OFF)
# Said aloud, not left to the first run's choice.
[ -z "${SERAPH_CUDA:-}" ] || options+=("-DSERAPH_CUDA=$SERAPH_CUDA")
[ -z "${SERAPH_CUDA_ARCHS:-}" ] || options+=("-DSERAPH_CUDA_ARCHS=$SERAPH_CUDA_ARCHS")
[ "$with_cuda" = 0 ] || install_cuda_compiler "$build_dir"
configure_and_build "$root" "$build_dir" seraph "${options[@]}"

if [ "$build_only" = 1 ]; then
  echo "built $build_dir/seraph"
  exit 0
fi
exec "$build_dir/seraph" run ${args[@]+"${args[@]}"}
