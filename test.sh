#!/usr/bin/env bash
# Installs, builds and runs the tests: format, tidy, unit, fuzz corpora, golden (when the truths are there) and api.
#   ./test.sh        the above
#   ./test.sh all    also ASan + UBSan and TSan builds of the unit tests and fuzz corpora, the CUDA kernels by nvcc
#                    (where there is one) for five generations of GPUs, kill -9 and deadlines under load, and a minute
#                    of random clients
#   SERAPH_BUILD_DIR   build folder (default: build-test)   SERAPH_GOLDEN_DIR   recorded truths (default: ../shared/golden)
# The last line is "N passed, N failed"; the exit status is 0 only when nothing failed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=packaging/setup.sh
source "$root/packaging/setup.sh"
cd "$root"

build_dir=${SERAPH_BUILD_DIR:-$root/build-test}
mode=${1:-}
passed=0
failed=0

# check NAME COMMAND...: one thing that passes or fails.
check() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    say "FAILED: $name"
  fi
}

# Versions of clang-format lay some lines out differently: only the one that the sources were written with judges.
check_format() {
  local files
  if ! clang-format --version | grep -q 'version 14\.'; then
    say "clang-format 14 is not installed: the layout is not checked"
    return 0
  fi
  mapfile -t files < <(git ls-files '*.cpp' '*.h' '*.cu' '*.cuh' 2>/dev/null || true)
  [ "${#files[@]}" = 0 ] && return 0
  clang-format --dry-run -Werror "${files[@]}"
}

# run_ctest BUILD LABELS: adds ctest's own counts, one for each test program.
run_ctest() {
  local log count_failed count_all
  log=$(mktemp)
  ctest --test-dir "$1" --output-on-failure -L "$2" 2>&1 | tee "$log" || true
  # "97% tests passed, 1 tests failed out of 33"
  read -r count_failed count_all < <(sed -n 's/.*, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*/\1 \2/p' "$log" | tail -1) ||
    { grep -q 'No tests were found' "$log" && count_failed=0 count_all=0 || { count_failed=1 count_all=1; }; }
  rm -f "$log"
  passed=$((passed + count_all - count_failed))
  failed=$((failed + count_failed))
}

build_and_run() {
  local dir=$1 labels=$2
  shift 2
  if (configure_and_build "$root" "$dir" all -DSERAPH_TESTS=ON "$@"); then
    run_ctest "$dir" "$labels"
  else
    failed=$((failed + 1))
    say "FAILED: the build in $dir"
  fi
}

install_packages "${build_packages[@]}" "${test_packages[@]}"
install_page_packages "$root"

check format check_format
check tidy python3 tests/tidy/tidy.py
check "tidy's own test" python3 tests/tidy/tidy_test.py

golden=${SERAPH_GOLDEN_DIR:-$root/../shared/golden}
labels='unit|fuzz|api'
if [ -d "$golden" ]; then
  labels='unit|fuzz|golden|api'
  SERAPH_GOLDEN_DIR=$(cd "$golden" && pwd)
  export SERAPH_GOLDEN_DIR
else
  say "no recorded truths in $golden: the golden tests are left out"
fi
build_and_run "$build_dir" "$labels" -DCMAKE_BUILD_TYPE=Release

if [ "$mode" = all ]; then
  build_and_run "$build_dir-address" 'unit|fuzz' -DCMAKE_BUILD_TYPE=Release -DSERAPH_SANITIZE=address
  build_and_run "$build_dir-thread" 'unit' -DCMAKE_BUILD_TYPE=Release -DSERAPH_SANITIZE=thread
  run_ctest "$build_dir" 'cuda'
  check "endings" python3 tests/soak/endings.py "$build_dir/seraph"
  check "soak" python3 tests/soak/soak.py -- "$build_dir/seraph" run --kv-cache-memory 32MiB
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
