#include "engine/checkpoint/peft_config.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "engine/checkpoint/config_reader.h"
#include "engine/checkpoint/safetensors.h"

namespace seraph {
namespace {

constexpr const char* kTrainAgain =
    "train the adapter without it, or merge it into its base model and serve the result";

/// Members that change what an adapter computes and that no code here follows; those that are null, false or empty ask
/// for nothing.
constexpr std::pair<const char*, const char*> kUnsupportedMembers[] = {
    {"use_dora", "DoRA"},
    {"use_qalora", "QALoRA"},
    {"use_bdlora", "block-diagonal LoRA"},
    {"lora_bias", "biases of LoRA matrices"},
    {"modules_to_save", "modules that were trained whole"},
    {"trainable_token_indices", "trained rows of the embedding"},
    {"target_parameters", "LoRA on fused parameters"},
    {"alora_invocation_tokens", "activated LoRA, which begins at its invocation tokens"},
    {"layer_replication", "repeated layers"},
    {"fan_in_fan_out", "transposed base weights"},
    {"megatron_config", "Megatron's parallel layers"},
};

bool asks_for_nothing(const Json& value) {
  if (value.is_bool()) return !value.as_bool();
  if (value.is_array()) return value.as_array().empty();
  return value.is_object() && value.as_object().empty();
}

Error unsupported(const std::string& file, std::string_view key, std::string_view what) {
  return Error{ErrorCode::kUnsupported, fmt::format("{}: {}: {} is not supported", file, key, what), kTrainAgain,
               std::string(key)};
}

Status check_kind(ConfigReader& reader) {
  const std::string type = reader.text("peft_type", "");
  SERAPH_RETURN_IF_ERROR(reader.status());
  if (type != "LORA") {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{}: peft_type is {}, only LORA adapters can be served", reader.file(),
                             type.empty() ? "missing" : in_quotes(type)),
                 "train a LoRA adapter, or merge this one into its base model", "peft_type"};
  }
  for (const auto& [key, what] : kUnsupportedMembers) {
    const Json* value = reader.find(key);
    if (value != nullptr && !asks_for_nothing(*value)) return unsupported(reader.file(), key, what);
  }
  if (const std::string bias = reader.text("bias", "none"); bias != "none") {
    return unsupported(reader.file(), "bias", "replacing the base model's biases (" + in_quotes(bias) + ")");
  }
  return reader.status();
}

/// Some ways to begin a training change the base model too; PEFT writes true when it converted the adapter back.
Status check_base(const ConfigReader& reader) {
  constexpr std::string_view kKeepsBase[] = {"gaussian", "eva", "orthogonal"};
  const Json* init = reader.find("init_lora_weights");
  if (init == nullptr || init->is_bool()) return {};
  if (init->is_string()) {
    for (const std::string_view known : kKeepsBase) {
      if (init->as_string() == known) return {};
    }
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("{}: init_lora_weights is {}: the adapter was trained on a changed base model and does not "
                           "fit the original one",
                           reader.file(), in_quotes(init->dump())),
               "save it with PEFT's path_initial_model_for_weight_conversion", "init_lora_weights"};
}

Status read_patterns(ConfigReader& reader, const char* key, double min, double max, ModulePattern& out) {
  const Json* value = reader.find(key);
  if (value == nullptr) return {};
  if (!value->is_object() || value->as_object().size() > kPeftPatternsMax) {
    reader.fail(key, fmt::format("must be an object of at most {} members", kPeftPatternsMax));
    return reader.status();
  }
  for (const auto& [pattern, number] : value->as_object()) {
    const double parsed = number.is_number() ? number.as_double() : std::nan("");
    if (!(parsed >= min && parsed <= max)) {
      reader.fail(key, fmt::format("has {} for {}, it must be a number from {:g} to {:g}", in_quotes(number.dump()),
                                   in_quotes(pattern), min, max));
      return reader.status();
    }
    SERAPH_RETURN_IF_ERROR(out.add(pattern, parsed));
  }
  return {};
}

}  // namespace

Status ModulePattern::add(const std::string& key, double value) {
  auto regex = text::Regex::compile("\\A(?:.*\\.)?(?:" + key + ")\\z");
  if (!regex.ok()) {
    return Error{ErrorCode::kCorrupt, fmt::format("the pattern {} is no regular expression", in_quotes(key)),
                 "correct adapter_config.json"};
  }
  rules_.emplace_back(std::move(*regex), value);
  return {};
}

double ModulePattern::find(std::string_view module, double fallback) const {
  for (const auto& [regex, value] : rules_) {
    text::Regex::Matches matches(regex, module);
    size_t begin = 0;
    size_t end = 0;
    if (matches.next(begin, end)) return value;
  }
  return fallback;
}

int64_t PeftConfig::rank_of(std::string_view module) const {
  return static_cast<int64_t>(ranks.find(module, static_cast<double>(rank)));
}

float PeftConfig::scale_of(std::string_view module) const {
  const double own_rank = static_cast<double>(rank_of(module));
  return static_cast<float>(alphas.find(module, alpha) / (rank_stabilised ? std::sqrt(own_rank) : own_rank));
}

Result<PeftConfig> read_peft_config(const Json& object, const std::string& file) {
  constexpr double kAlphaMax = 1e6;
  ConfigReader reader(object, file);
  SERAPH_RETURN_IF_ERROR(check_kind(reader));
  SERAPH_RETURN_IF_ERROR(check_base(reader));
  PeftConfig config;
  config.rank = reader.required_integer("r", 1, kPeftRankMax);
  config.alpha = reader.required_number("lora_alpha", 0, kAlphaMax);
  config.rank_stabilised = reader.boolean("use_rslora", false);
  SERAPH_RETURN_IF_ERROR(reader.status());
  SERAPH_RETURN_IF_ERROR(read_patterns(reader, "rank_pattern", 1, kPeftRankMax, config.ranks));
  SERAPH_RETURN_IF_ERROR(read_patterns(reader, "alpha_pattern", 0, kAlphaMax, config.alphas));
  return config;
}

}  // namespace seraph
