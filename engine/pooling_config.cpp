#include "engine/pooling_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "engine/checkpoint/config_reader.h"
#include "engine/checkpoint/safetensors.h"

namespace seraph {
namespace {

using Task = PoolingInfo::Task;
using Activation = PoolingInfo::Activation;

constexpr int64_t kLabelsMax = 1 << 20;
constexpr int64_t kDenseMax = 1 << 17;

std::string architecture_of(const Checkpoint& checkpoint) {
  const Json* list = checkpoint.config().find("architectures");
  const bool named = list != nullptr && list->is_array() && !list->as_array().empty();
  return named && list->as_array()[0].is_string() ? list->as_array()[0].as_string() : "";
}

Error choice_error(const char* option, std::string message, std::string remedy) {
  return Error{ErrorCode::kInvalidArgument, fmt::format("argument --{}: {}", option, message), std::move(remedy),
               option};
}

/// What the first entry of a type in modules.json names as its folder; nothing when there is none.
std::optional<std::string> find_module(const Json& modules, std::string_view type) {
  for (const Json& module : modules.as_array()) {
    const Json* name = module.find("type");
    if (name == nullptr || !name->is_string() || name->as_string() != type) continue;
    const Json* path = module.find("path");
    const bool plain = path != nullptr && path->is_string() && path->as_string().find("..") == std::string::npos &&
                       !path->as_string().starts_with('/');
    return plain ? path->as_string() : std::string();
  }
  return std::nullopt;
}

/// "pooling_mode_mean_sqrt_len_tokens" -> "mean".
std::string short_mode(std::string_view key) {
  constexpr std::string_view kPrefix = "pooling_mode_";
  if (key.starts_with(kPrefix)) key.remove_prefix(kPrefix.size());
  key = key.substr(0, key.find('_'));
  return std::string(key == "lasttoken" ? "last" : key);
}

bool set_pooling(std::string_view name, PoolingInfo& info) {
  if (name != "cls" && name != "last" && name != "mean") return false;
  info.pooling = name == "mean" ? Pooling::kMean : Pooling::kLast;
  info.first_token_only = name == "cls";
  return true;
}

Result<PoolingHeadSpec::Function> read_function(const std::string& name, const std::string& file) {
  using Function = PoolingHeadSpec::Function;
  constexpr std::pair<std::string_view, Function> kFunctions[] = {{"Identity", Function::kIdentity},
                                                                  {"Tanh", Function::kTanh},
                                                                  {"ReLU", Function::kRelu},
                                                                  {"GELU", Function::kGelu},
                                                                  {"Sigmoid", Function::kSigmoid}};
  const std::string_view last = std::string_view(name).substr(name.rfind('.') + 1);
  for (const auto& [known, function] : kFunctions) {
    if (last == known) return function;
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("{}: the activation_function {} is not known", file, in_quotes(name)),
               "use Identity, Tanh, ReLU, GELU or Sigmoid", "activation_function"};
}

Status read_dense(const std::string& folder, PoolingPlan& plan) {
  const std::string file = folder + "/config.json";
  SERAPH_ASSIGN_OR_RETURN(const Json json, read_config_file(file));
  ConfigReader config(json, file);
  plan.head.kind = PoolingHeadSpec::Kind::kDense;
  plan.head.folder = folder;
  plan.head.inputs = static_cast<int32_t>(config.required_integer("in_features", 1, kDenseMax));
  plan.info.width = static_cast<int32_t>(config.required_integer("out_features", 1, kDenseMax));
  plan.head.bias = config.boolean("bias", true);
  const std::string function = config.text("activation_function", "torch.nn.modules.activation.Tanh");
  SERAPH_RETURN_IF_ERROR(config.status());
  SERAPH_ASSIGN_OR_RETURN(plan.head.function, read_function(function, file));
  return {};
}

/// modules.json, when there is one. True in `found` when it names a pooling.
Status read_modules(const std::string& dir, bool& found, PoolingPlan& plan) {
  const std::string file = dir + "/modules.json";
  std::error_code ignored;
  found = false;
  if (!std::filesystem::exists(file, ignored)) return {};
  SERAPH_ASSIGN_OR_RETURN(const Json modules, Json::parse_file(file));
  if (!modules.is_array()) {
    return Error{ErrorCode::kCorrupt, file + ": is not a list of modules", "download the model folder again"};
  }
  const auto pooling = find_module(modules, "sentence_transformers.models.Pooling");
  if (!pooling) return {};
  found = true;
  const bool normalizes = find_module(modules, "sentence_transformers.models.Normalize").has_value();
  plan.info.activation = normalizes ? Activation::kNormalize : Activation::kNone;
  SERAPH_ASSIGN_OR_RETURN(const Json modes, read_config_file(dir + '/' + *pooling + "/config.json"));
  for (const auto& [key, value] : modes.as_object()) {
    if (value.is_bool() && value.as_bool() && set_pooling(short_mode(key), plan.info)) break;
  }
  if (const auto dense = find_module(modules, "sentence_transformers.models.Dense")) {
    return read_dense(dir + '/' + *dense, plan);
  }
  return {};
}

/// Names and number of the classes. transformers assumes two where a file says nothing.
void read_labels(ConfigReader& config, PoolingInfo& info) {
  const Json* names = config.find("id2label");
  const bool named = names != nullptr && names->is_object() && !names->as_object().empty();
  const auto fallback = named ? static_cast<int64_t>(names->as_object().size()) : 2;
  info.width = static_cast<int32_t>(config.integer("num_labels", fallback, 1, kLabelsMax));
  for (int32_t i = 0; i < info.width; ++i) {
    const Json* name = named ? names->find(std::to_string(i)) : nullptr;
    info.labels.push_back(name != nullptr && name->is_string() ? name->as_string() : fmt::format("LABEL_{}", i));
  }
}

void read_class_activation(ConfigReader& config, PoolingInfo& info) {
  const std::string problem = config.text("problem_type", "");
  info.activation =
      info.width == 1 || problem == "multi_label_classification" ? Activation::kSigmoid : Activation::kSoftmax;
  if (problem == "regression") info.activation = Activation::kNone;
}

/// A generating model as a classifier: "classifier_from_token" names the tokens whose logits are the classes.
Status read_classifier_tokens(const Json& config, const std::string& file, PoolingPlan& plan) {
  const Json* tokens = config.find("classifier_from_token");
  const bool listed = tokens != nullptr && tokens->is_array() && !tokens->as_array().empty() &&
                      static_cast<int64_t>(tokens->as_array().size()) <= kLabelsMax;
  if (!listed) {
    return Error{ErrorCode::kInvalidArgument, file + ": the checkpoint has no score.weight to classify with",
                 "use a ...ForSequenceClassification checkpoint, or name the answer's tokens with --hf-overrides "
                 "'{\"classifier_from_token\": [\"no\", \"yes\"], \"is_original_qwen3_reranker\": true}'",
                 "convert"};
  }
  plan.head.kind = PoolingHeadSpec::Kind::kTokens;
  for (const Json& token : tokens->as_array()) {
    if (!token.is_string()) {
      return Error{ErrorCode::kInvalidArgument, file + ": classifier_from_token must be a list of token texts", "",
                   "classifier_from_token"};
    }
    plan.head.tokens.push_back(token.as_string());
  }
  const Json* method = config.find("method");
  const Json* original = config.find("is_original_qwen3_reranker");
  const bool two_way = method != nullptr && method->is_string() && method->as_string() == "from_2_way_softmax";
  plan.head.difference = two_way || (original != nullptr && original->is_bool() && original->as_bool());
  if (plan.head.difference && plan.head.tokens.size() != 2) {
    return Error{ErrorCode::kInvalidArgument, file + ": a two-way softmax needs two tokens in classifier_from_token",
                 "name no's token and yes's", "classifier_from_token"};
  }
  plan.info.width = plan.head.difference ? 1 : static_cast<int32_t>(plan.head.tokens.size());
  plan.info.labels.clear();
  for (int32_t i = 0; i < plan.info.width; ++i) plan.info.labels.push_back(fmt::format("LABEL_{}", i));
  return {};
}

Status plan_classifier(const Checkpoint& checkpoint, PoolingPlan& plan) {
  plan.info = PoolingInfo{.task = Task::kClassify, .pooling = Pooling::kLast};
  ConfigReader config(checkpoint.config(), checkpoint.dir() + "/config.json");
  const bool from_tokens = config.has("classifier_from_token") || !checkpoint.has_tensor("score.weight");
  if (from_tokens) {
    SERAPH_RETURN_IF_ERROR(read_classifier_tokens(checkpoint.config(), config.file(), plan));
  } else {
    plan.head.kind = PoolingHeadSpec::Kind::kScore;
    read_labels(config, plan.info);
  }
  read_class_activation(config, plan.info);
  // A generating model that judges was trained on one running text.
  const bool separator = config.boolean("use_pad_token", !from_tokens);
  plan.info.pairs_have_separator = config.boolean("use_sep_token", separator);
  if (const Json* pad = config.find("pad_token_id"); pad != nullptr && pad->is_int() && !from_tokens) {
    plan.info.pad_token = static_cast<TokenId>(std::clamp<int64_t>(pad->as_int(), -1, 1 << 30));
  }
  return config.status();
}

Status read_dimensions(ConfigReader& config, PoolingInfo& info) {
  info.any_dimensions = config.boolean("is_matryoshka", false);
  const Json* list = config.find("matryoshka_dimensions");
  if (list != nullptr && list->is_array()) {
    for (const Json& item : list->as_array()) {
      if (item.is_int() && item.as_int() > 0 && item.as_int() <= kDenseMax) {
        info.dimensions.push_back(static_cast<int32_t>(item.as_int()));
      }
    }
    info.any_dimensions = false;
  }
  return config.status();
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// --pooler-config: what it names wins over the files.
Status apply_pooler(const Json& pooler, PoolingInfo& info) {
  constexpr const char* kOption = "pooler-config";
  if (pooler.is_null()) return {};
  const Activation on = info.task == Task::kEmbed ? Activation::kNormalize
                        : info.width == 1         ? Activation::kSigmoid
                                                  : Activation::kSoftmax;
  for (const auto& [key, value] : pooler.as_object()) {
    if (value.is_null()) continue;
    if ((key == "pooling_type" || key == "seq_pooling_type") && value.is_string()) {
      if (set_pooling(lower(value.as_string()), info)) continue;
      return choice_error(kOption, fmt::format("{} {} is not offered", key, in_quotes(value.as_string())),
                          "use LAST, MEAN or CLS");
    }
    const bool switches = key == "normalize" || key == "softmax" || key == "activation" || key == "use_activation";
    if (switches && value.is_bool()) {
      info.activation = value.as_bool() && info.activation == Activation::kNone ? on : info.activation;
      info.use_activation = value.as_bool();
      continue;
    }
    const char* task = info.task == Task::kEmbed ? "embed" : "classify";
    if (key == "task" && value.is_string() && value.as_string() == task) continue;
    return choice_error(kOption, fmt::format("{} = {} is not offered for this model", key, value.dump()),
                        "it may hold pooling_type, normalize, softmax, use_activation and task");
  }
  return {};
}

bool is_classifier(std::string_view architecture) { return architecture.ends_with("ForSequenceClassification"); }
bool is_headless(std::string_view architecture) { return architecture.ends_with("Model"); }

}  // namespace

Result<PoolingPlan> plan_pooling(const Checkpoint& checkpoint, const PoolingChoices& choices) {
  PoolingPlan plan;
  const std::string architecture = architecture_of(checkpoint);
  plan.info.pooling = Pooling::kLast;
  plan.info.activation = Activation::kNormalize;
  bool has_modules = false;
  SERAPH_RETURN_IF_ERROR(read_modules(checkpoint.dir(), has_modules, plan));
  const bool classifies = is_classifier(architecture);
  const bool pools_by_itself = has_modules || classifies || is_headless(architecture);
  if (choices.runner == "generate" || (choices.runner == "auto" && !pools_by_itself)) {
    if (choices.runner == "generate" && (classifies || is_headless(architecture))) {
      return choice_error("runner", fmt::format("{} has no head that generates", architecture),
                          "leave the option out, or use --runner pooling");
    }
    return PoolingPlan{};
  }
  if (choices.convert == "classify" || (choices.convert == "auto" && classifies)) {
    SERAPH_RETURN_IF_ERROR(plan_classifier(checkpoint, plan));
  } else {
    plan.info.task = Task::kEmbed;
    ConfigReader config(checkpoint.config(), checkpoint.dir() + "/config.json");
    SERAPH_RETURN_IF_ERROR(read_dimensions(config, plan.info));
  }
  SERAPH_RETURN_IF_ERROR(apply_pooler(choices.pooler, plan.info));
  return plan;
}

}  // namespace seraph
