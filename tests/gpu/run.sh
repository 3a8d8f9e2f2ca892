#!/usr/bin/env bash
# Proves and times the CUDA kernels on this machine's card, in one call of less than eight minutes:
#   run.sh [TABLE]      the table in Markdown goes to TABLE (default: RESULTS.md beside this file)
# Runs in the folder that build_kit.sh made and takes nothing from outside. Exit status 77: there is no card.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
table=${1:-RESULTS.md}
limit_s=${SERAPH_KIT_LIMIT_S:-460}

if [ ! -x gpu_bench ]; then
  echo "this is the source of the kit; tests/gpu/build_kit.sh makes a folder that runs" >&2
  exit 1
fi

# The name under which `seraph plan` knows this card's data sheet; "all" for another.
sheet_of_card() {
  local card name
  card=$(nvidia-smi --query-gpu=name --format=csv,noheader 2> /dev/null | head -1)
  for name in H100 H200 H20 A100 A30 A40 A10 L40S L40 L20 L4 T4; do
    case "$card " in *[\ -]"$name"[\ -]*) echo "$name" && return ;; esac
  done
  echo all
}

began=$SECONDS
failed=()
# part SECONDS NAME COMMAND...: within what is left of the limit.
part() {
  local most=$1 name=$2 left=$((limit_s - (SECONDS - began))) status
  shift 2
  [ "$most" -gt "$left" ] && most=$left
  if [ "$most" -le 0 ]; then
    echo "$name: no time left"
    failed+=("$name")
    return 0
  fi
  timeout "$most" "$@" > "$name.log" 2>&1
  status=$?
  if [ $status = 77 ]; then
    head -1 "$name.log"
    exit 77
  fi
  [ $status = 0 ] || failed+=("$name")
  return 0
}

part 150 conformance ./gpu_conformance
part 60 end_to_end ./gpu_end_to_end
part 240 bench ./gpu_bench
if python3 -c 'import torch, transformers, sys; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then
  part 120 torch python3 torch_compare.py
else
  echo "PyTorch and transformers are not installed: not compared." > torch.log
fi

{
  echo "# Figures from real GPUs"
  echo
  echo "Measured by tests/gpu/run.sh on $(date -u +%Y-%m-%d), in $((SECONDS - began)) s."
  echo
  echo "## Conformance"
  echo
  grep -E '^\[  (PASSED|FAILED|SKIPPED)|tests from .* ran' conformance.log end_to_end.log | sed 's/^/- /'
  echo
  echo "Greedy tokens of CPU and card on the golden checkpoints:"
  echo
  grep -E 'tokens equal' end_to_end.log | sed 's/^/- /'
  echo
  echo "## Timings"
  echo
  cat bench.log
  echo
  echo "## PyTorch on the same card"
  echo
  cat torch.log
  echo
  echo "## What the data sheet foretold"
  echo
  for model in "${TMPDIR:-/tmp}"/seraph_gpu_bench_*; do
    echo '```'
    ./seraph plan "$model" --roofline "$(sheet_of_card)"
    echo '```'
  done
} > "$table"

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}; see the .log files"
  exit 1
fi
echo "all parts passed in $((SECONDS - began)) s: $table"
