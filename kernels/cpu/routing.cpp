#include "kernels/cpu/routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace seraph::cpu {
namespace {

void route_row(const RoutingArgs& args, int32_t row, Routing& out) {
  const std::span scores(args.scores + row * args.stride, static_cast<size_t>(args.num_experts));
  const float largest = *std::max_element(scores.begin(), scores.end());
  float sum = 0.0F;
  for (size_t e = 0; e < scores.size(); ++e) sum += out.probabilities[e] = std::exp(scores[e] - largest);
  for (float& probability : out.probabilities) probability /= sum;

  std::iota(out.order.begin(), out.order.end(), 0);
  const auto better = [&out](int32_t a, int32_t b) {
    const float pa = out.probabilities[static_cast<size_t>(a)];
    const float pb = out.probabilities[static_cast<size_t>(b)];
    return pa != pb ? pa > pb : a < b;
  };
  const auto chosen = out.order.begin() + args.top_k;
  std::partial_sort(out.order.begin(), chosen, out.order.end(), better);
  float total = 1.0F;
  if (args.normalise) {
    total = 0.0F;
    for (auto e = out.order.begin(); e != chosen; ++e) total += out.probabilities[static_cast<size_t>(*e)];
  }
  for (auto e = out.order.begin(); e != chosen; ++e) {
    Routing::Assigned& expert = out.experts[static_cast<size_t>(*e)];
    expert.rows.push_back(row);
    expert.weights.push_back(out.probabilities[static_cast<size_t>(*e)] / total);
  }
}

}  // namespace

void route(const RoutingArgs& args, Routing& out) {
  const auto num_experts = static_cast<size_t>(args.num_experts);
  out.experts.resize(num_experts);
  out.probabilities.resize(num_experts);
  out.order.resize(num_experts);
  for (Routing::Assigned& expert : out.experts) {
    expert.rows.clear();
    expert.weights.clear();
  }
  for (int32_t row = 0; row < args.rows; ++row) route_row(args, row, out);
}

}  // namespace seraph::cpu
