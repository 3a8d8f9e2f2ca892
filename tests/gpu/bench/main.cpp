// The kit's bench: see tests/gpu/README.md. Exit status 77 where there is no GPU.
#include <cstdio>
#include <cstring>

#include "tests/gpu/bench/bench.h"

namespace seraph::gpu {

BenchPlan full_plan() {
  return {.models = {cost::kQwen05B, cost::kQwen7B, cost::kLlama8B},
          .batches = {1, 4, 10, 16, 32, 64, 256},
          .context_tokens = 512,
          .output_tokens = 96,
          .prefill_tokens = 2048,
          .copy_bytes = int64_t{2} << 30,
          .product_rows = 4096,
          .kernel_ms = 4};
}

BenchPlan tiny_plan() {
  constexpr cost::LayerShape kTiny = {"tiny", 64, 2, 1, 64, 96, 2, 128};
  return {.models = {kTiny},
          .batches = {1, 4},
          .context_tokens = 24,
          .output_tokens = 12,
          .prefill_tokens = 40,
          .copy_bytes = 1 << 16,
          .product_rows = 32,
          .kernel_ms = 0};
}

namespace {

int run(const BenchPlan& plan) {
  const Card card = find_card();
  if (!card.found) {
    std::printf("no GPU: %s\n", card.text.c_str());
    return kExitNoCard;
  }
  std::printf("Card: %s, %.0f GiB.\n\n", card.text.c_str(),
              static_cast<double>(card.properties.memory_bytes) / (1024.0 * 1024.0 * 1024.0));
  Roofs roofs;
  std::string error = measure_roofs(plan, roofs);
  if (error.empty()) error = bench_kernels(plan, card, roofs);
  if (error.empty()) error = bench_engines(plan, roofs);
  if (error.empty()) return 0;
  std::printf("\nfailed: %s\n", error.c_str());
  return 1;
}

}  // namespace
}  // namespace seraph::gpu

int main(int argc, char** argv) {
  const bool tiny = argc == 2 && std::strcmp(argv[1], "--tiny") == 0;
  if (argc > 1 && !tiny) {
    std::printf("usage: %s [--tiny]\n", argv[0]);
    return 2;
  }
  return seraph::gpu::run(tiny ? seraph::gpu::tiny_plan() : seraph::gpu::full_plan());
}
