// Which rows go to which expert of a mixture, and with what weight. Pure: a row's experts depend on its scores only.
#pragma once

#include <cstdint>
#include <vector>

namespace seraph::cpu {

/// Reused from step to step.
struct Routing {
  struct Assigned {
    std::vector<int32_t> rows;  // ascending
    std::vector<float> weights;
  };
  std::vector<Assigned> experts;  // [num_experts]

  // Scratch of one row.
  std::vector<float> probabilities;
  std::vector<int32_t> order;
};

struct RoutingArgs {
  const float* scores = nullptr;  // [rows, stride]
  int64_t rows = 0;
  int64_t stride = 0;
  int32_t num_experts = 0;
  int32_t top_k = 0;
  bool normalise = false;
};

void route(const RoutingArgs& args, Routing& out);

}  // namespace seraph::cpu
