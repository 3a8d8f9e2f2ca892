#include <spdlog/fmt/fmt.h>

#include <array>

#include "engine/checkpoint/safetensors.h"
#include "engine/model/decoder.h"
#include "engine/model/families/family.h"

namespace seraph {
namespace {

std::string list_architectures() {
  std::string out;
  for (const Family& family : all_families()) {
    if (!out.empty()) out += ", ";
    out += family.architecture;
  }
  return out;
}

/// The generating class of the same decoder: "LlamaForSequenceClassification" and "LlamaModel" are Llama's trunk with
/// another head or none.
std::string generating_class(std::string name) {
  for (const std::string_view ending : {"ForSequenceClassification", "Model"}) {
    if (!std::string_view(name).ends_with(ending)) continue;
    name.resize(name.size() - ending.size());
    return name + "ForCausalLM";
  }
  return name;
}

/// Checkpoints saved from the trunk alone leave out its prefix.
void drop_trunk_prefix(const Checkpoint& checkpoint, TensorNames& names) {
  constexpr std::string_view kPrefix = "model.";
  if (!names.embed.starts_with(kPrefix) || checkpoint.has_tensor(names.embed)) return;
  if (!checkpoint.has_tensor(names.embed.substr(kPrefix.size()))) return;
  for (std::string* name : {&names.embed, &names.final_norm, &names.layer}) {
    if (name->starts_with(kPrefix)) name->erase(0, kPrefix.size());
  }
}

}  // namespace

std::span<const Family> all_families() {
  static const std::array kFamilies = {make_llama_family(), make_mistral_family(), make_qwen2_family(),
                                       make_qwen3_family(), make_qwen3_moe_family()};
  return kFamilies;
}

Result<DecoderSpec> read_decoder_spec(const Checkpoint& checkpoint) {
  ConfigReader config(checkpoint.config(), checkpoint.dir() + "/config.json");
  const Json* architectures = config.find("architectures");
  std::string name;
  const char* key = "architectures";
  if (architectures != nullptr && architectures->is_array() && !architectures->as_array().empty() &&
      architectures->as_array()[0].is_string()) {
    name = architectures->as_array()[0].as_string();
  } else {
    key = "model_type";
    name = config.text(key, "");
  }
  if (name.empty()) {
    config.fail("architectures", "is missing, so the kind of model is unknown");
    return config.status().error();
  }
  const std::string wanted = generating_class(name);
  for (const Family& family : all_families()) {
    if (wanted != family.architecture && !(key == std::string_view("model_type") && name == family.model_type))
      continue;
    DecoderSpec spec = family.read(config);
    SERAPH_RETURN_IF_ERROR(config.status());
    drop_trunk_prefix(checkpoint, spec.names);
    return spec;
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("{}: the architecture {} is not supported, there are {}", config.file(), in_quotes(name),
                           list_architectures()),
               "use a model of one of these", key};
}

}  // namespace seraph
