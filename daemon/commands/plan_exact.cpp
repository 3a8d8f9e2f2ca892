// The exact way of plan.h: what the server allocates on each card.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "daemon/commands/plan.h"

namespace seraph {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
constexpr double kActivationBytes = 2;  // activations are 16-bit
constexpr double kLogitBytes = 4;
constexpr double kOtherBytesMax = 2;  // of embeddings, norms and the head beside quantised matrices

struct QuantizedBytes {
  const char* name;
  double bytes;  // of one weight with its share of the scales
};
constexpr QuantizedBytes kQuantized[] = {
    {"fp8", 1}, {"ifq", 1}, {"ifq_nf4", 0.53125}};  // the last: 4 bits, and a 16-bit scale for 64 weights

// Memory as nvidia-smi reports it, in MiB.
struct KnownCard {
  const char* name;
  double memory_mib;
};
constexpr KnownCard kKnownCards[] = {{"T4", 15360},  {"V100-16G", 16384}, {"V100", 32768},    {"A10", 23028},
                                     {"A30", 24576}, {"L4", 23034},       {"RTX4090", 24564}, {"A100-40G", 40960},
                                     {"L20", 46068}, {"L40S", 46068},     {"A100", 81920},    {"H100", 81559},
                                     {"H20", 97871}, {"H200", 143771}};

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

Result<double> exact_weights_gib(const PlanShape& shape) {
  const double stored =
      shape.weights_gib > 0 ? shape.weights_gib : shape.parameters_b * 1e9 * shape.bytes_per_weight / kGib;
  if (shape.quantization.empty()) return stored;
  const auto* found = std::find_if(std::begin(kQuantized), std::end(kQuantized),
                                   [&](const QuantizedBytes& each) { return shape.quantization == each.name; });
  if (found == std::end(kQuantized)) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("there is no quantisation '{}'", shape.quantization),
                 "fp8, ifq and ifq_nf4 are done on loading; files that are quantised already need no option"};
  }
  const double linear = shape.linear_parameters_b > 0 ? shape.linear_parameters_b : shape.parameters_b;
  const double other_bytes = std::min(shape.bytes_per_weight, kOtherBytesMax);
  return (linear * found->bytes + (shape.parameters_b - linear) * other_bytes) * 1e9 / kGib;
}

double kv_bytes_per_token(const PlanShape& shape) {
  const double head_dim = shape.head_dim > 0
                              ? static_cast<double>(shape.head_dim)
                              : static_cast<double>(shape.hidden_size) / static_cast<double>(shape.num_heads);
  return head_dim * static_cast<double>(shape.num_kv_heads) * static_cast<double>(shape.num_layers) * shape.kv_bytes *
         2;
}

/// The widest moment of a step: the residual stream, a layer's input and its MLP, and the rows of logits.
double activation_bytes(const PlanShape& shape, int64_t cards) {
  const auto tokens = static_cast<double>(shape.batched_tokens);
  const double wide = 4 * static_cast<double>(shape.hidden_size) * static_cast<double>(cards) +
                      2 * static_cast<double>(shape.intermediate_size);
  return tokens * wide * kActivationBytes +
         static_cast<double>(shape.num_sequences) * static_cast<double>(shape.vocab_size) * kLogitBytes;
}

bool splits(const PlanShape& shape, int64_t cards) {
  return shape.num_heads % cards == 0 && (shape.num_kv_heads % cards == 0 || cards % shape.num_kv_heads == 0);
}

}  // namespace

double ExactPlan::kv_tokens(double card_gib, double memory_utilization) const {
  const double left = static_cast<double>(cards) * card_gib * memory_utilization - weights_gib - activations_gib;
  return left * kGib / kv_bytes_per_token;
}

Result<ExactPlan> plan_exact(const PlanShape& shape, int64_t cards) {
  ExactPlan plan{.cards = cards};
  SERAPH_ASSIGN_OR_RETURN(plan.weights_gib, exact_weights_gib(shape));
  const double repeats =
      cards > shape.num_kv_heads ? static_cast<double>(cards) / static_cast<double>(shape.num_kv_heads) : 1;
  plan.kv_bytes_per_token = kv_bytes_per_token(shape) * repeats;
  const int64_t blocks = (shape.context_tokens + shape.block_tokens - 1) / shape.block_tokens;
  plan.kv_gib = plan.kv_bytes_per_token * static_cast<double>(blocks * shape.block_tokens) / kGib;
  plan.activations_gib = activation_bytes(shape, cards) / kGib;
  plan.needed_gib = (plan.weights_gib + plan.kv_gib + plan.activations_gib) / shape.memory_utilization;
  return plan;
}

Result<int64_t> plan_exact_cards(const PlanShape& shape, double card_gib) {
  for (int64_t cards = 1; cards <= shape.num_heads; ++cards) {
    if (!splits(shape, cards)) continue;
    SERAPH_ASSIGN_OR_RETURN(const ExactPlan plan, plan_exact(shape, cards));
    if (plan.needed_gib <= static_cast<double>(cards) * card_gib) return cards;
  }
  return 0;
}

Result<PlanCard> parse_plan_card(const std::string& text) {
  double memory_gib = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), memory_gib);
  if (error == std::errc{} && end == text.data() + text.size() && memory_gib > 0) return PlanCard{text, memory_gib};
  std::string names;
  for (const KnownCard& card : kKnownCards) {
    if (upper(text) == card.name) return PlanCard{card.name, card.memory_mib / 1024};
    names += (names.empty() ? "" : ", ") + std::string(card.name);
  }
  return Error{ErrorCode::kInvalidArgument, fmt::format("'{}' is no number of GiB and no known GPU", text),
               "the names are " + names, "--gpus"};
}

}  // namespace seraph
