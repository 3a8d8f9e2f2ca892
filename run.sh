#!/usr/bin/env bash
# Installs what is missing, builds Release and starts `seraph run`. Arguments go to `seraph run`.
#   ./run.sh [--build-only] [flags of seraph run]
#   SERAPH_BUILD_DIR   build folder (default: build)      SERAPH_JOBS   compiler processes (default: all cores)
#   SERAPH_CUDA   auto (for the GPUs of this machine, where nvcc is found), on (for all), sim (a simulated one), off
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=packaging/setup.sh
source "$root/packaging/setup.sh"

build_only=0
args=()
for arg in "$@"; do
  if [ "$arg" = --build-only ]; then build_only=1; else args+=("$arg"); fi
done

build_dir=${SERAPH_BUILD_DIR:-$root/build}
install_packages "${build_packages[@]}"
install_page_packages "$root"
configure_and_build "$root" "$build_dir" seraph -DCMAKE_BUILD_TYPE=Release -DSERAPH_TESTS=OFF

if [ "$build_only" = 1 ]; then
  echo "built $build_dir/seraph"
  exit 0
fi
exec "$build_dir/seraph" run ${args[@]+"${args[@]}"}
