#include "engine/text/chat_template.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

constexpr std::string_view kChatMl =
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% "
    "endif %}";

Json parse(std::string_view text) { return Json::parse(text).value(); }

Result<std::string> render(std::string_view source, const ChatInput& input) {
  auto compiled = Template::compile(source);
  if (!compiled.ok()) return compiled.error();
  return render_chat(**compiled, input, TemplateLimits{}, TemplateClock{});
}

TEST(ChatTemplate, RendersMessagesInOrderAndTheGenerationPrompt) {
  ChatInput input{.messages = parse(R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes"}])")};
  EXPECT_EQ(render(kChatMl, input).value(), "<|user|>Hi\n<|assistant|>Yes\n");
  input.add_generation_prompt = true;
  EXPECT_EQ(render(kChatMl, input).value(), "<|user|>Hi\n<|assistant|>Yes\n<|assistant|>");
}

TEST(ChatTemplate, DropsNullMembersOfMessages) {
  const ChatInput input{.messages = parse(R"([{"role":"user","content":"a","tool_calls":null}])")};
  EXPECT_EQ(render("{{ messages[0].tool_calls is defined }}{{ messages[0]|length }}", input).value(), "False2");
}

TEST(ChatTemplate, GivesReasoningUnderBothNames) {
  for (const char* name : {"reasoning", "thinking", "reasoning_content"}) {
    Json::Object message = {{"role", "assistant"}, {name, "why"}};
    const ChatInput input{.messages = Json::Array{Json(std::move(message))}};
    EXPECT_EQ(render("{{ messages[0].reasoning_content }}-{{ messages[0].thinking }}", input).value(), "why-why")
        << name;
  }
}

TEST(ChatTemplate, KwargsWinOverEverythingElse) {
  const ChatInput input{.messages = parse("[]"),
                        .kwargs = parse(R"({"add_generation_prompt":"kw","bos_token":"B"})"),
                        .special_tokens = parse(R"({"bos_token":"A","eos_token":"E"})")};
  EXPECT_EQ(render("{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ tools }}", input).value(), "BEkwNone");
}

TEST(ChatTemplate, ContinuesTheFinalMessageRightBehindItsText) {
  ChatInput input{.messages = parse(R"([{"role":"user","content":"q"},{"role":"assistant","content":"The answer "}])"),
                  .continue_final_message = true};
  EXPECT_EQ(render(kChatMl, input).value(), "<|user|>q\n<|assistant|>The answer ");
  // A template that trims the text trims the prompt too.
  EXPECT_EQ(render("{% for m in messages %}[{{ m.content|trim }}]{% endfor %}", input).value(), "[q][The answer");
  EXPECT_FALSE(render("{{ 'content' }}", input).ok());
  input.messages = parse(R"([{"role":"assistant","content":[{"type":"text","text":"part"},{"type":"image"}]}])");
  EXPECT_EQ(render("{{ messages[0].content[0].text }}<end>", input).value(), "part");
}

TEST(ChatTemplate, RefusesMessagesThatAreNoObjects) {
  EXPECT_EQ(render(kChatMl, ChatInput{.messages = parse("[1]")}).error().param, "messages");
  EXPECT_EQ(render(kChatMl, ChatInput{.messages = parse("{}")}).error().param, "messages");
  EXPECT_EQ(render(kChatMl, ChatInput{.messages = parse("[]"), .tools = parse("[1]")}).error().param, "tools");
}

TEST(ChatTemplate, KnowsWhetherATemplateLoopsOverContentParts) {
  const auto wants = [](std::string_view source) { return Template::compile(source).value()->wants_content_parts(); };
  EXPECT_FALSE(wants(kChatMl));
  EXPECT_TRUE(wants("{% for m in messages %}{% for part in m['content'] %}{{ part.text }}{% endfor %}{% endfor %}"));
  EXPECT_TRUE(wants(
      "{% for m in messages %}{% set c = m.content %}{% if 1 %}{% for p in c %}{% endfor %}{% endif %}{% endfor %}"));
  EXPECT_FALSE(wants("{% for m in messages %}{{ m.content }}{% for t in m.tool_calls %}{% endfor %}{% endfor %}"));
}

}  // namespace
}  // namespace seraph
