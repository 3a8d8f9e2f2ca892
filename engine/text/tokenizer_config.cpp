#include "engine/text/tokenizer_config.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/text/component_spec.h"
#include "engine/text/subword_model.h"

namespace seraph::text {
namespace {

constexpr std::string_view kNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};
constexpr size_t kMarkersMax = 64;  // ids taken from generation_config.json

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

// The file as an object; a null value when it is absent.
Result<Json> read_object(const std::string& path) {
  if (!file_exists(path)) return Json();
  SERAPH_ASSIGN_OR_RETURN(Json root, Json::parse_file(path));
  if (!root.is_object()) return Error{ErrorCode::kCorrupt, path + " is not a JSON object"};
  return root;
}

// A token is a string, or an object with its "content".
const std::string* token_text(const Json* value) {
  if (value == nullptr) return nullptr;
  if (value->is_string()) return &value->as_string();
  const Json* content = value->find("content");
  return content != nullptr && content->is_string() ? &content->as_string() : nullptr;
}

AddedToken token_of(const Json& value, const std::string& content, bool special) {
  AddedToken token;
  token.content = content;
  token.special = get_bool(value, "special", special);
  token.lstrip = get_bool(value, "lstrip", false);
  token.rstrip = get_bool(value, "rstrip", false);
  token.single_word = get_bool(value, "single_word", false);
  token.normalized = get_bool(value, "normalized", !token.special);
  return token;
}

Status read_added_decoder(const Json& root, const std::string& path, TokenizerConfig& config) {
  const Json* decoder = root.find("added_tokens_decoder");
  if (decoder == nullptr || decoder->is_null()) return {};
  if (!decoder->is_object()) return Error{ErrorCode::kCorrupt, path + ": added_tokens_decoder is not an object"};
  for (const auto& [name, value] : decoder->as_object()) {
    int64_t id = -1;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), id);
    const std::string* content = token_text(&value);
    if (failed != std::errc() || end != name.data() + name.size() || id < 0 || id > kTokenIdMax || content == nullptr) {
      return Error{ErrorCode::kCorrupt, path + ": added_tokens_decoder[\"" + name + "\"] is no id with a content"};
    }
    config.decoder.push_back(token_of(value, *content, false));
    config.decoder.back().id = static_cast<int32_t>(id);
  }
  std::stable_sort(config.decoder.begin(), config.decoder.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return {};
}

void add_named(TokenizerConfig& config, const Json& value, const std::string& content) {
  const auto same = [&](const AddedToken& token) { return token.content == content; };
  if (std::any_of(config.named.begin(), config.named.end(), same)) return;
  AddedToken token = token_of(value, content, true);
  token.special = true;
  token.normalized = get_bool(value, "normalized", false);
  config.named.push_back(std::move(token));
}

// bos_token and its like; `fill` takes only names that are not known yet (special_tokens_map.json).
void read_named(const Json& root, bool fill, TokenizerConfig& config) {
  for (const std::string_view name : kNames) {
    const Json* value = root.find(name);
    const std::string* content = token_text(value);
    if (content == nullptr || (fill && config.has(name))) continue;
    config.special_tokens.set(name, *content);
    add_named(config, *value, *content);
  }
  for (const std::string_view list : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json* values = root.find(list);
    if (values == nullptr || (fill && config.has(list))) continue;
    if (values->is_object()) {  // names for tokens of this model only (image_token ...)
      for (const auto& [name, value] : values->as_object()) {
        const std::string* content = token_text(&value);
        if (content == nullptr) continue;
        config.special_tokens.set(name, *content);
        add_named(config, value, *content);
      }
    }
    if (!values->is_array()) continue;
    for (const Json& value : values->as_array()) {
      if (const std::string* content = token_text(&value)) add_named(config, value, *content);
    }
  }
}

// chat_template is a string, or a list of {name, template}.
void read_template(const Json* value, TokenizerConfig& config) {
  if (value == nullptr) return;
  if (value->is_string()) config.template_default = config.template_tools = value->as_string();
  if (!value->is_array()) return;
  for (const Json& entry : value->as_array()) {
    const Json* name = entry.find("name");
    const Json* text = entry.find("template");
    if (name == nullptr || text == nullptr || !name->is_string() || !text->is_string()) continue;
    if (name->as_string() == "default") config.template_default = text->as_string();
    if (name->as_string() == "tool_use") config.template_tools = text->as_string();
  }
  if (config.template_tools.empty()) config.template_tools = config.template_default;
}

Status read_templates(const std::string& dir, TokenizerConfig& config) {
  const std::string path = dir + "/chat_template.jinja";
  if (file_exists(path)) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || file.bad()) return Error{ErrorCode::kIo, "cannot read " + path};
    config.template_default = config.template_tools = text.str();
    return {};
  }
  read_template(config.root.find("chat_template"), config);
  if (!config.template_default.empty() || !config.template_tools.empty()) return {};
  SERAPH_ASSIGN_OR_RETURN(const Json root, read_object(dir + "/chat_template.json"));
  read_template(root.find("chat_template"), config);
  return {};
}

// Vocabularies whose chat markers are plain entries name them by id here (Baichuan: user_token_id, assistant_token_id).
Status read_markers(const std::string& dir, TokenizerConfig& config) {
  SERAPH_ASSIGN_OR_RETURN(const Json root, read_object(dir + "/generation_config.json"));
  for (const std::string_view name : {"user_token_id", "assistant_token_id"}) {
    const int64_t id = get_int(root, name, -1);
    if (id >= 0 && id <= kTokenIdMax && config.marker_ids.size() < kMarkersMax) {
      config.marker_ids.push_back(static_cast<int32_t>(id));
    }
  }
  return {};
}

}  // namespace

Result<TokenizerConfig> TokenizerConfig::read(const std::string& dir) {
  TokenizerConfig config;
  const std::string path = dir + "/tokenizer_config.json";
  SERAPH_ASSIGN_OR_RETURN(config.root, read_object(path));
  config.exists = config.root.is_object();
  if (const Json* name = config.root.find("tokenizer_class"); name != nullptr && name->is_string()) {
    config.tokenizer_class = name->as_string();
    if (config.tokenizer_class.ends_with("Fast")) config.tokenizer_class.resize(config.tokenizer_class.size() - 4);
  }
  SERAPH_RETURN_IF_ERROR(read_added_decoder(config.root, path, config));
  read_named(config.root, false, config);
  SERAPH_ASSIGN_OR_RETURN(const Json map, read_object(dir + "/special_tokens_map.json"));
  read_named(map, true, config);
  SERAPH_ASSIGN_OR_RETURN(const Json added, read_object(dir + "/added_tokens.json"));
  if (added.is_object()) {
    for (const auto& [content, id] : added.as_object()) {
      if (!id.is_int() || id.as_int() < 0 || id.as_int() > kTokenIdMax) {
        return Error{ErrorCode::kCorrupt, dir + "/added_tokens.json: \"" + content + "\" has no id"};
      }
      config.slow_added.emplace_back(content, static_cast<int32_t>(id.as_int()));
    }
  }
  SERAPH_RETURN_IF_ERROR(read_templates(dir, config));
  SERAPH_RETURN_IF_ERROR(read_markers(dir, config));
  // The model's own config decides only which class reads the tokenizer; whoever loads the model reports its faults.
  const auto model = Json::parse_file(dir + "/config.json");
  const Json* type = model.ok() ? model->find("model_type") : nullptr;
  if (type != nullptr && type->is_string()) config.model_type = type->as_string();
  return config;
}

bool TokenizerConfig::get_flag(std::string_view name, bool fallback) const { return get_bool(root, name, fallback); }

std::string TokenizerConfig::token_named(std::string_view name) const {
  const Json* token = special_tokens.find(name);
  return token != nullptr && token->is_string() ? token->as_string() : "";
}

void TokenizerConfig::set_default_token(std::string_view name, std::string_view content) {
  if (has(name) || special_tokens.find(name) != nullptr) return;
  special_tokens.set(name, content);
  add_named(*this, Json(), std::string(content));
}

}  // namespace seraph::text
