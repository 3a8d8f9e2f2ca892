#include "daemon/api/messages.h"

#include <gtest/gtest.h>

#include <string>

namespace seraph {
namespace {

Json json(const std::string& text) { return Json::parse(text).value(); }

std::string normal(const std::string& text, bool as_parts = false) {
  const Json messages = json(text);
  std::vector<SchemaError> errors;
  check_messages(messages, "body.messages", errors);
  if (!errors.empty()) return "schema: " + errors.front().loc;
  NormalMessages out;
  if (const auto error = normalise_messages(messages, as_parts, "tiny", out)) return "error: " + error->message;
  return out.messages.dump();
}

TEST(MessagesTest, ContentPartsAreJoinedWithOneNewline) {
  EXPECT_EQ(normal(R"([{"role":"user","content":["one",{"type":"text","text":"two"}]}])"),
            R"([{"role":"user","content":"one\ntwo"}])");
  EXPECT_EQ(normal(R"([{"role":"user","content":["one",{"type":"text","text":"two"}]}])", true),
            R"([{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}])");
}

TEST(MessagesTest, TextBecomesAPartWhereTemplatesWantParts) {
  EXPECT_EQ(normal(R"([{"role":"user","content":"a"}])", true),
            R"([{"role":"user","content":[{"type":"text","text":"a"}]}])");
  EXPECT_EQ(normal(R"([{"role":"user"}])", true), R"([{"role":"user","content":[]}])");
}

TEST(MessagesTest, DeveloperIsSystemAndOtherRolesPass) {
  EXPECT_EQ(normal(R"([{"role":"developer","content":"x"},{"role":"foo","content":"y"}])"),
            R"([{"role":"system","content":"x"},{"role":"foo","content":"y"}])");
}

TEST(MessagesTest, AbsentContentIsEmptyAndNullOnlyWhereItIsUsual) {
  EXPECT_EQ(normal(R"([{"role":"user"}])"), R"([{"role":"user","content":""}])");
  EXPECT_EQ(normal(R"([{"role":"assistant","content":null}])"), R"([{"role":"assistant","content":""}])");
  EXPECT_EQ(normal(R"([{"role":"user","content":null}])"), "schema: body.messages.0.content");
  EXPECT_EQ(normal(R"([{"role":"user","content":5}])"), "schema: body.messages.0.content");
}

TEST(MessagesTest, ToolArgumentsBecomeObjects) {
  const auto arguments = [](const std::string& text) {
    return normal(
        R"([{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":)" +
        text + "}}]}]");
  };
  EXPECT_NE(arguments(R"("{\"a\":1}")").find(R"("arguments":{"a":1})"), std::string::npos);
  for (const char* empty : {R"("")", R"("null")", R"("[1,2]")", R"("{bad")"}) {
    EXPECT_NE(arguments(empty).find(R"("arguments":{})"), std::string::npos) << empty;
  }
  EXPECT_EQ(arguments(R"({"a":1})"), "schema: body.messages.0.tool_calls.0.function.arguments");
}

TEST(MessagesTest, EmptyToolCallsAndUnknownKeysAreDropped) {
  EXPECT_EQ(normal(R"([{"role":"assistant","content":"y","tool_calls":[],"foo":1,"name":"bob"}])"),
            R"([{"role":"assistant","content":"y","name":"bob"}])");
}

TEST(MessagesTest, WrongShapesNameThePlace) {
  EXPECT_EQ(normal("\"hi\""), "schema: body.messages");
  EXPECT_EQ(normal("[5]"), "schema: body.messages.0");
  EXPECT_EQ(normal(R"([{"content":"x"}])"), "schema: body.messages.0.role");
  EXPECT_EQ(normal(R"([{"role":"user","content":"ok"},{"role":5,"content":"x"}])"), "schema: body.messages.1.role");
}

TEST(MessagesTest, UnknownAndMediaPartsAreRefused) {
  EXPECT_EQ(normal(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}])"),
            "error: tiny is not a multimodal model");
  EXPECT_TRUE(normal(R"([{"role":"user","content":[{"type":"input_text","text":"x"}]}])").starts_with("error: "));
  EXPECT_TRUE(normal(R"([{"role":"user","content":[{"type":"text","text":null}]}])").starts_with("error: "));
  EXPECT_TRUE(normal(R"([{"role":"user","content":{"text":"x"}}])").starts_with("error: "));
}

TEST(MessagesTest, LastMessageIsRemembered) {
  NormalMessages out;
  ASSERT_FALSE(normalise_messages(json(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"}])"), false,
                                  "m", out));
  EXPECT_EQ(out.last_role, "assistant");
  EXPECT_EQ(out.last_text, "b");
}

TEST(MessagesTest, ToolsKeepDeclaredOrderWithNulls) {
  EXPECT_EQ(normalise_tools(json(R"([{"function":{"strict":true,"parameters":{"a":1},"name":"f"},"type":"function"}])"))
                .dump(),
            R"([{"type":"function","function":{"name":"f","description":null,"parameters":{"a":1},"strict":true}}])");
}

}  // namespace
}  // namespace seraph
