#include "daemon/cli/preset.h"

#include <spdlog/fmt/fmt.h>

#include <vector>

namespace seraph {
namespace {

constexpr const char* kChat = "instruct|chat";

constexpr FamilyPreset kPresets[] = {
    {.name = "generate", .conv_templates = "generate", .values = {{{"chat-template", "template_generate"}}}},
    {.name = "hunyuan",
     .conv_templates = "hunyuan",
     .all_of = "hunyuan-large",
     .values = {{{"chat-template", "template_hunyuan"}, {"stop-token-ids", "127960,127967"}}}},
    {.name = "shennong_chat",
     .conv_templates = "shennong_chat",
     .any_of = "shennong|sn-",
     .note = "its template is not public: the checkpoint's own is used unless --chat-template names one"},
    {.name = "llama-3.2-vision",
     .conv_templates = "llama-3.2-vision",
     .all_of = "llama-3.2|vision",
     .any_of = kChat,
     .values = {{{"chat-template", "tool_chat_template_llama3.2_vision"},
                 {"enable-auto-tool-choice", "true"},
                 {"tool-call-parser", "llama3_json"},
                 {"enforce-eager", "true"},
                 {"max-num-seqs", "8"}}}},
    {.name = "llama-3.2",
     .conv_templates = "llama-3.2",
     .all_of = "llama-3.2",
     .any_of = kChat,
     .none_of = "vision",
     .values = {{{"chat-template", "tool_chat_template_llama3.2_json"},
                 {"enable-auto-tool-choice", "true"},
                 {"tool-call-parser", "llama3_json"}}}},
    {.name = "llama-3.1",
     .conv_templates = "llama-3.1",
     .all_of = "llama-3.1",
     .any_of = kChat,
     .values = {{{"chat-template", "tool_chat_template_llama3.1_json"},
                 {"enable-auto-tool-choice", "true"},
                 {"tool-call-parser", "llama3_json"}}}},
    {.name = "qwen2.5",
     .conv_templates = "qwen2.5",
     .all_of = "qwen2.5",
     .any_of = kChat,
     .values = {{{"enable-auto-tool-choice", "true"}, {"tool-call-parser", "hermes"}}}},
    {.name = "baichuan2-chat",
     .conv_templates = "baichuan2-chat",
     .all_of = "baichuan2",
     .any_of = kChat,
     .values = {{{"chat-template", "template_baichuan"}}}},
    {.name = "llama-2",
     .conv_templates = "llama-2",
     .all_of = "llama-2",
     .any_of = kChat,
     .values = {{{"chat-template", "template_llama2"}}}},
    {.name = "llama-3",
     .conv_templates = "llama-3",
     .all_of = "llama-3-",
     .any_of = kChat,
     .values = {{{"chat-template", "template_llama3"}, {"stop-token-ids", "128001,128009"}}}},
    {.name = "qwen",
     .conv_templates = "qwen|qwen-7b-chat",
     .all_of = "qwen",
     .any_of = kChat,
     .none_of = "vl",
     .values = {{{"chat-template", "template_qwen"}, {"stop-token-ids", "151643,151644,151645"}}}},
};

std::vector<std::string_view> split(std::string_view words) {
  std::vector<std::string_view> found;
  while (!words.empty()) {
    found.push_back(words.substr(0, words.find('|')));
    words.remove_prefix(std::min(words.size(), found.back().size() + 1));
  }
  return found;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return lower;
}

/// "llama-3.1 and instruct" when the id fits, else "".
std::string matching_words(const FamilyPreset& preset, std::string_view id) {
  std::string found;
  const auto add = [&](std::string_view word) { found += fmt::format("{}{}", found.empty() ? "" : " and ", word); };
  const auto holds = [&](std::string_view word) { return id.find(word) != std::string_view::npos; };
  for (const std::string_view word : split(preset.none_of)) {
    if (holds(word)) return "";
  }
  for (const std::string_view word : split(preset.all_of)) {
    if (!holds(word)) return "";
    add(word);
  }
  const auto any_of = split(preset.any_of);
  if (any_of.empty()) return found;
  for (const std::string_view word : any_of) {
    if (!holds(word)) continue;
    add(word);
    return found;
  }
  return "";
}

}  // namespace

std::span<const FamilyPreset> family_presets() { return kPresets; }

std::optional<PresetMatch> find_preset(std::string_view conv_template, std::string_view model_id) {
  const std::string wanted = to_lower(conv_template);
  const std::string id = to_lower(model_id);
  for (const FamilyPreset& preset : kPresets) {
    for (const std::string_view name : split(preset.conv_templates)) {
      if (name == wanted) return PresetMatch{&preset, fmt::format("CONV_TEMPLATE is {}", conv_template)};
    }
    const std::string words = matching_words(preset, id);
    if (!words.empty()) return PresetMatch{&preset, fmt::format("MODEL_ID {} contains {}", model_id, words)};
  }
  return std::nullopt;
}

std::string preset_names() {
  std::string names;
  for (const FamilyPreset& preset : kPresets) {
    for (const std::string_view name : split(preset.conv_templates)) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    }
  }
  return names;
}

}  // namespace seraph
