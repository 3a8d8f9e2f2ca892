#include "daemon/commands/builtin_templates.h"

#include <gtest/gtest.h>

#include <cstring>

#include "daemon/cli/preset.h"
#include "engine/text/chat_template.h"

namespace seraph {
namespace {

TEST(BuiltinTemplates, EveryPresetsTemplateIsThereAndCompiles) {
  int named = 0;
  for (const FamilyPreset& preset : family_presets()) {
    for (const PresetValue& value : preset.values) {
      if (value.option == nullptr || std::strcmp(value.option, "chat-template") != 0) continue;
      ++named;
      EXPECT_NE(find_builtin_template(value.text), nullptr) << value.text;
    }
  }
  EXPECT_GT(named, 0);
  for (const BuiltinTemplate& builtin : builtin_templates()) {
    const auto compiled = Template::compile(builtin.text);
    EXPECT_TRUE(compiled.ok()) << builtin.name << ": " << compiled.error().text();
  }
}

TEST(BuiltinTemplates, AreFoundByNameAndByPath) {
  ASSERT_NE(find_builtin_template("template_llama3"), nullptr);
  EXPECT_EQ(find_builtin_template("examples/tool_chat_template_llama3.1_json.jinja"),
            find_builtin_template("tool_chat_template_llama3.1_json"));
  EXPECT_EQ(find_builtin_template("template_llama"), nullptr);
  EXPECT_EQ(find_builtin_template(""), nullptr);
}

std::string render(const char* name, const char* messages, bool add_generation_prompt) {
  const auto compiled = Template::compile(find_builtin_template(name)->text);
  ChatInput input;
  input.messages = Json::parse(messages).value();
  input.add_generation_prompt = add_generation_prompt;
  const auto text = render_chat(**compiled, input, {}, {});
  return text.ok() ? *text : "error: " + text.error().message;
}

// No recorded truth exists for these two: their layouts are those of the models' papers and tokenizers.
TEST(BuiltinTemplates, HunyuanLargeAndGenerateFollowTheirLayouts) {
  constexpr const char* kMessages =
      R"([{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},
          {"role":"user","content":"c"}])";
  EXPECT_EQ(render("template_hunyuan", kMessages, true),
            "<|startoftext|>s<|extra_4|>a<|extra_0|>b<|eos|><|startoftext|>c<|extra_0|>");
  EXPECT_EQ(render("template_hunyuan", R"([{"role":"system","content":""},{"role":"user","content":"a"}])", true),
            "<|startoftext|>a<|extra_0|>");
  EXPECT_EQ(render("template_generate", kMessages, true), "sabc");
}

TEST(BuiltinTemplates, ImagesReachTheVisionTemplateAsParts) {
  const auto vision = Template::compile(find_builtin_template("tool_chat_template_llama3.2_vision")->text);
  EXPECT_TRUE((*vision)->wants_content_parts());
  EXPECT_EQ(render("tool_chat_template_llama3.2_vision",
                   R"([{"role":"user","content":[{"type":"image"},{"type":"text","text":"What?"}]}])", false),
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|image|>What?<|eot_id|>");
}

}  // namespace
}  // namespace seraph
