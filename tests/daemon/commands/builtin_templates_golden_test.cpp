// The built-in templates against recorded renderings of the families' published templates, byte for byte.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "daemon/cli/settings.h"
#include "daemon/commands/builtin_templates.h"
#include "engine/text/chat_template.h"

namespace seraph {
namespace {

std::string golden_dir() {
  const auto named = process_environment("SERAPH_GOLDEN_DIR");
  return named ? *named : SERAPH_SOURCE_DIR "/../shared/golden";
}

/// Which recorded template ours stands for. A family with two published templates has the one for tools.
const std::map<std::string, std::string>& sources() {
  static const std::map<std::string, std::string> kSources = {
      {"llama-2/Llama-2-7b-chat-hf", "template_llama2"},
      {"llama-3/file_llama3", "template_llama3"},
      {"llama-3.1/vllm_tool_chat_template_llama3.1_json", "tool_chat_template_llama3.1_json"},
      {"llama-3.2/vllm_tool_chat_template_llama3.2_json", "tool_chat_template_llama3.2_json"},
      {"llama-3.2-vision/vllm_tool_chat_template_llama3.2_json", "tool_chat_template_llama3.2_vision"},
      {"qwen/Qwen2-7B-Instruct", "template_qwen"},
      {"chatml/vllm_template_chatml", "template_chatml"},
      {"internlm2/vllm_tool_chat_template_internlm2_tool", "tool_chat_template_internlm2_tool"},
      {"mistral-v3/vllm_tool_chat_template_mistral", "tool_chat_template_mistral"},
      {"baichuan2-chat/vllm_template_baichuan", "template_baichuan"},
  };
  return kSources;
}

std::string text_member(const Json& record, const char* name) {
  const Json* value = record.find(name);
  return value == nullptr ? "" : value->as_string();
}

Json special_tokens_of(const Json& templates, const std::string& name) {
  for (const Json& record : templates.as_array()) {
    if (text_member(record, "name") == name) return *record.find("special_tokens");
  }
  return {};
}

bool flag_of(const Json& kwargs, const char* name) {
  const Json* value = kwargs.find(name);
  return value != nullptr && value->as_bool();
}

TEST(BuiltinTemplatesGolden, RenderAsTheFamiliesOwn) {
  std::ifstream file(golden_dir() + "/templates/presets.jsonl");
  if (!file) GTEST_SKIP() << "no recorded truths in " << golden_dir();
  const Json conversations = Json::parse_file(golden_dir() + "/templates/conversations.json").value();
  const Json templates = Json::parse_file(golden_dir() + "/templates/templates.json").value();
  const TemplateClock clock = TemplateClock::parse(text_member(conversations, "clock")).value();
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    const Json record = Json::parse(line).value();
    const std::string source = text_member(record, "source");
    const auto ours = sources().find(text_member(record, "preset") + "/" + source);
    if (ours == sources().end()) continue;
    ++cases;
    const auto compiled = Template::compile(find_builtin_template(ours->second)->text);
    ASSERT_TRUE(compiled.ok()) << compiled.error().text();
    const Json& kwargs = *record.find("kwargs");
    const Json& conversation = *conversations.find("conversations")->find(text_member(record, "conversation"));
    ChatInput input;
    input.messages = *conversation.find("messages");
    if (const Json* tools = conversation.find("tools")) input.tools = *tools;
    input.add_generation_prompt = flag_of(kwargs, "add_generation_prompt");
    input.continue_final_message = flag_of(kwargs, "continue_final_message");
    input.special_tokens = special_tokens_of(templates, source);
    const auto text = render_chat(**compiled, input, {}, clock);
    if (record.find("output") != nullptr) {
      EXPECT_EQ(text.ok() ? *text : text.error().message, text_member(record, "output")) << line;
    } else {
      EXPECT_TRUE(!text.ok() && text.error().message.find(text_member(record, "message")) != std::string::npos) << line;
    }
  }
  EXPECT_GT(cases, 0);
  printf("%d renderings of %zu templates\n", cases, sources().size());
}

}  // namespace
}  // namespace seraph
