#include "daemon/api/responses_input.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

std::string messages_of(const char* input) {
  Json::Array messages;
  const auto error = append_input_messages(Json::parse(input).value(), messages);
  return error ? *error->param + ": " + error->message : Json(std::move(messages)).dump();
}

TEST(ResponsesInputTest, TextAndItemsBecomeMessages) {
  EXPECT_EQ(messages_of(R"("Hi")"), R"([{"role":"user","content":"Hi"}])");
  EXPECT_EQ(messages_of(R"([{"role":"developer","content":[{"type":"input_text","text":"a"}]}])"),
            R"([{"role":"developer","content":[{"type":"text","text":"a"}]}])");
}

TEST(ResponsesInputTest, WhatTheModelSaidInSeveralItemsIsOneMessage) {
  EXPECT_EQ(messages_of(R"([{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
                            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"t"}]},
                            {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
                            {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
                            {"type":"function_call_output","call_id":"c1","output":"1"},
                            {"type":"function_call","call_id":"c3","name":"h","arguments":"{}"}])"),
            R"([{"role":"assistant","content":[{"type":"text","text":"t"}],"reasoning":"hm","tool_calls":[)"
            R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},)"
            R"({"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},)"
            R"({"role":"tool","tool_call_id":"c1","content":"1"},)"
            R"({"role":"assistant","content":null,"tool_calls":[)"
            R"({"id":"c3","type":"function","function":{"name":"h","arguments":"{}"}}]}])");
}

TEST(ResponsesInputTest, WrongItemsAreNamed) {
  for (const auto& [input, part] : {std::pair{"[5]", "body.input.0'"},
                                    {R"([{"role":"foo","content":"x"}])", "body.input.0.role"},
                                    {R"([{"role":"user"}])", "body.input.0.content"},
                                    {R"([{"type":"item_reference","id":"x"}])", "body.input.0.type"},
                                    {R"([{"role":"user","content":[{"type":"x"}]}])", "body.input.0.content.0.type"},
                                    {R"([{"type":"function_call","name":"f"}])", "body.input.0.call_id"},
                                    {R"([{"type":"function_call_output","call_id":"c"}])", "body.input.0.output"}}) {
    const std::string error = messages_of(input);
    EXPECT_TRUE(error.starts_with("body.input: 2 validation errors")) << error;
    EXPECT_NE(error.find(part), std::string::npos) << error;
  }
}

TEST(ResponsesInputTest, ToolsAreNestedAndHostedOnesLeftOut) {
  Json::Array tools;
  std::string left_out;
  EXPECT_FALSE(read_response_tools(
      Json::parse(R"([{"type":"function","name":"f","parameters":{},"strict":true},{"type":"web_search"}])").value(),
      tools, left_out));
  EXPECT_EQ(Json(tools).dump(), R"([{"type":"function","function":{"name":"f","parameters":{},"strict":true}}])");
  EXPECT_EQ(left_out, "web_search");
  EXPECT_EQ(read_response_tools(Json::parse(R"([{"type":"function"}])").value(), tools, left_out)->param,
            "body.tools.0.name");
}

TEST(ResponsesInputTest, ChoicesNameToolsThatExist) {
  Json::Array tools;
  std::string left_out;
  const Json given = Json::parse(R"([{"type":"function","name":"f"},{"type":"function","name":"g"}])").value();
  ASSERT_FALSE(read_response_tools(given, tools, left_out));
  const auto choose = [&](const char* choice) {
    Json out;
    const auto error = read_response_tool_choice(Json::parse(choice).value(), tools, out);
    return error ? "error: " + *error->param : out.dump();
  };
  EXPECT_EQ(choose(R"("required")"), R"("required")");
  EXPECT_EQ(choose(R"("any")"), "error: body.tool_choice");
  EXPECT_EQ(choose(R"({"type":"function","name":"g"})"), R"({"type":"function","function":{"name":"g"}})");
  EXPECT_EQ(choose(R"({"type":"function","name":"h"})"), "error: tool_choice");
  EXPECT_EQ(choose(R"({"type":"web_search_preview"})"), "error: tool_choice");
  EXPECT_EQ(choose(R"({"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"g"}]})"), R"("auto")");
  ASSERT_EQ(tools.size(), 1U);
  EXPECT_EQ(tools[0].find("function")->find("name")->as_string(), "g");
}

}  // namespace
}  // namespace seraph
