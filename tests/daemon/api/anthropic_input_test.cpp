#include "daemon/api/anthropic_input.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

std::string messages_of(const std::string& body) {
  Json::Array messages;
  std::vector<SchemaError> errors;
  read_anthropic_messages(Json::parse(body).value(), messages, errors);
  if (errors.empty()) return Json(std::move(messages)).dump();
  std::string out = "errors:";
  for (const SchemaError& error : errors) out += ' ' + error.loc;
  return out;
}

TEST(AnthropicInputTest, SystemTextsAndBlocksBecomeMessages) {
  EXPECT_EQ(messages_of(R"({"system":"s","messages":[{"role":"user","content":"a"}]})"),
            R"([{"role":"system","content":"s"},{"role":"user","content":"a"}])");
  EXPECT_EQ(messages_of(R"({"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[
                {"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]})"),
            R"([{"role":"system","content":[{"type":"text","text":"s"}]},)"
            R"({"role":"user","content":[{"type":"text","text":"a"}]}])");
}

TEST(AnthropicInputTest, CallsThinkingAndResults) {
  EXPECT_EQ(messages_of(R"({"messages":[
      {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},
                                     {"type":"redacted_thinking","data":"y"},
                                     {"type":"tool_use","id":"c1","name":"f","input":{"a":1}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"1"}]},
                                {"type":"text","text":"and?"}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"c2"}]}]})"),
            R"([{"role":"assistant","content":"","reasoning":"hm","tool_calls":[)"
            R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},)"
            R"({"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"1"}]},)"
            R"({"role":"user","content":[{"type":"text","text":"and?"}]},)"
            R"({"role":"tool","tool_call_id":"c2","content":""}])");
}

TEST(AnthropicInputTest, WrongBlocksAreNamed) {
  EXPECT_EQ(messages_of(R"({"messages":5})"), "errors: body.messages");
  EXPECT_EQ(messages_of(R"({"messages":[7]})"), "errors: body.messages.0");
  EXPECT_EQ(messages_of(R"({"messages":[{"content":"x"}]})"), "errors: body.messages.0.role");
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"foo","content":"x"}]})"), "errors: body.messages.0.role");
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"user"}]})"), "errors: body.messages.0.content");
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"user","content":5}]})"),
            "errors: body.messages.0.content body.messages.0.content");
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"user","content":[{"type":"foo"}]}]})"),
            "errors: body.messages.0.content body.messages.0.content.0.type");
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"user","content":["x"]}]})"),
            "errors: body.messages.0.content body.messages.0.content.0.type");
  EXPECT_EQ(messages_of(R"({"messages":[{"role":"user","content":[{"type":"tool_use","name":"f"}]}]})"),
            "errors: body.messages.0.content.0.id");
  EXPECT_EQ(messages_of(R"({"system":["s"],"messages":[]})"), "errors: body.system.0.text");
}

TEST(AnthropicInputTest, ToolsAndChoices) {
  const auto chat_of = [](const std::string& members) {
    Json chat(Json::Object{});
    std::vector<SchemaError> errors;
    read_anthropic_tools(Json::parse('{' + members + '}').value(), chat, errors);
    return errors.empty() ? chat.dump() : "error: " + errors.front().loc;
  };
  const std::string tool = R"("tools":[{"name":"f","input_schema":{"type":"object"}}])";
  const std::string nested = R"({"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";
  EXPECT_EQ(chat_of(tool), nested + '}');
  EXPECT_EQ(chat_of(tool + R"(,"tool_choice":{"type":"any","disable_parallel_tool_use":true})"),
            nested + R"(,"tool_choice":"required","parallel_tool_calls":false})");
  EXPECT_EQ(chat_of(tool + R"(,"tool_choice":{"type":"tool","name":"f"})"),
            nested + R"(,"tool_choice":{"type":"function","function":{"name":"f"}}})");
  EXPECT_EQ(chat_of(tool + R"(,"tool_choice":{"type":"foo"})"), "error: body.tool_choice.type");
  EXPECT_EQ(chat_of(tool + R"(,"tool_choice":{"type":"tool"})"), "error: body.tool_choice.name");
  EXPECT_EQ(chat_of(R"("tools":[{"name":"f"}])"), "error: body.tools.0.input_schema");
  EXPECT_EQ(chat_of(R"("tools":[{"input_schema":{}}])"), "error: body.tools.0.name");
}

}  // namespace
}  // namespace seraph
