#include "daemon/api/fields.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "daemon/api/body.h"

namespace seraph {
namespace {

Json with_messages(const std::string& members) {
  Json body;
  const auto error = parse_body(R"({"messages":[{"role":"user","content":"x"}],)" + members + "}", body);
  EXPECT_FALSE(error) << members;
  return body;
}

struct Wrong {
  const char* members;
  const char* type;   // of the error
  const char* param;  // "" = null
  const char* part;   // of the message
};

class WrongFieldTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongFieldTest, IsRefusedInVllmsWords) {
  Json body = with_messages(GetParam().members);
  const auto error = check_fields(body, kChat, {});
  ASSERT_TRUE(error) << GetParam().members;
  EXPECT_EQ(error->status, 400);
  EXPECT_EQ(error->type, GetParam().type);
  EXPECT_EQ(error->param.value_or(""), GetParam().param);
  EXPECT_NE(error->message.find(GetParam().part), std::string::npos) << error->message;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, WrongFieldTest,
    testing::Values(
        Wrong{R"("temperature":"hot")", "Bad Request", "body.temperature",
              "1 validation error:\n  {'type': 'float_parsing', 'loc': 'body.temperature', 'msg': 'Input should be a "
              "valid number, unable to parse string as a number', 'input': 'hot'}"},
        Wrong{R"("temperature":2.1)", "BadRequestError", "temperature",
              "temperature must be in [0, 2], got 2.1. (parameter=temperature, value=2.1)"},
        Wrong{R"("temperature":-1)", "BadRequestError", "temperature", "temperature must be non-negative, got -1.0."},
        Wrong{R"("temperature":NaN)", "BadRequestError", "temperature", "must be a finite number, got nan."},
        Wrong{R"("top_p":0)", "BadRequestError", "top_p", "top_p must be in (0, 1], got 0.0."},
        Wrong{R"("top_p":NaN)", "BadRequestError", "top_p", "got nan."},
        Wrong{R"("top_k":-2)", "BadRequestError", "", "top_k must be 0 (disable), or at least 1, got -2."},
        Wrong{R"("top_k":1.5)", "Bad Request", "body.top_k", "int_from_float"},
        Wrong{R"("repetition_penalty":0)", "BadRequestError", "", "must be greater than zero, got 0.0."},
        Wrong{R"("n":0)", "BadRequestError", "", "n must be at least 1, got 0."},
        Wrong{R"("min_tokens":null)", "Bad Request", "body.min_tokens", "'int_type'"},
        Wrong{R"("seed":9223372036854775808)", "Bad Request", "body.seed", "less than or equal to 9223372036854775807"},
        Wrong{R"("seed":-9223372036854775809)", "Bad Request", "body.seed",
              "greater than or equal to -9223372036854775808"},
        Wrong{R"("max_tokens":NaN)", "Bad Request", "body.max_tokens", "finite_number"},
        Wrong{R"("max_tokens":[5])", "Bad Request", "body.max_tokens", "<list of 1 items>"},
        Wrong{R"("stream":"maybe")", "Bad Request", "body.stream", "bool_parsing"},
        Wrong{R"("stop":5)", "Bad Request", "body.stop", "2 validation errors:"},
        Wrong{R"("stop":["a","b","c","d","e"])", "Bad Request", "body.stop", "'max_length': 4, 'actual_length': 5"},
        Wrong{R"("logit_bias":[5])", "Bad Request", "body.logit_bias", "dict_type"},
        Wrong{R"("logit_bias":{"5":null})", "Bad Request", "body.logit_bias.5", "float_type"},
        Wrong{R"("top_logprobs":"a")", "BadRequestError", "top_logprobs", "must be an integer"},
        Wrong{R"("prompt_logprobs":-2)", "BadRequestError", "prompt_logprobs", "must be a positive value or -1"},
        Wrong{R"("cache_salt":"")", "BadRequestError", "cache_salt", "non-empty string"},
        Wrong{R"("stream_options":"yes")", "Bad Request", "body.stream_options", "model_attributes_type"},
        Wrong{R"("stream_options":{"include_usage":"maybe"})", "Bad Request", "body.stream_options.include_usage",
              "bool"},
        Wrong{R"("truncation_side":"middle")", "Bad Request", "body.truncation_side", "'left' or 'right'"},
        Wrong{R"("user":5)", "Bad Request", "body.user", "string_type"},
        Wrong{R"("tools":{})", "Bad Request", "body.tools", "list_type"},
        Wrong{R"("tools":[{"type":"function"}])", "Bad Request", "body.tools.0.function", "Field required"},
        Wrong{R"("tools":[{"function":{"name":5}}])", "Bad Request", "body.tools.0.function.name", "string_type"},
        Wrong{R"("tools":[{"function":{"name":"f","parameters":"x"}}])", "Bad Request",
              "body.tools.0.function.parameters", "dict_type"},
        Wrong{R"("tools":[{"type":"retrieval","function":{"name":"f"}}])", "Bad Request", "body.tools.0.type",
              "'function'"},
        Wrong{R"("response_format":"json")", "Bad Request", "body.response_format", "model_attributes_type"},
        Wrong{R"("response_format":{})", "Bad Request", "body.response_format.type", "Field required"},
        Wrong{R"("response_format":{"type":"xml"})", "Bad Request", "body.response_format.type", "'json_schema'"},
        Wrong{R"("response_format":{"type":"json_schema","json_schema":{"schema":{}}})", "Bad Request",
              "body.response_format.json_schema.name", "Field required"},
        Wrong{R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":"{}"}})", "Bad Request",
              "body.response_format.json_schema.schema", "dict_type"},
        Wrong{R"("structured_outputs":["a"])", "Bad Request", "body.structured_outputs", "dataclass_type"},
        Wrong{R"("structured_outputs":{"regex":5})", "Bad Request", "body.structured_outputs.regex", "string_type"},
        Wrong{R"("structured_outputs":{"choice":[1]})", "Bad Request", "body.structured_outputs.choice.0",
              "string_type"},
        Wrong{R"("structured_outputs":{"choice":"a"})", "Bad Request", "body.structured_outputs.choice", "list_type"},
        Wrong{R"("structured_outputs":{"json":5})", "Bad Request", "body.structured_outputs.json", "dict_type"},
        Wrong{R"("guided_json":5)", "Bad Request", "body.guided_json", "dict_type"},
        Wrong{R"("guided_choice":[5])", "Bad Request", "body.guided_choice.0", "string_type"},
        Wrong{R"("use_beam_search":"perhaps")", "Bad Request", "body.use_beam_search", "bool_parsing"},
        Wrong{R"("temperature":"x","top_p":"y")", "Bad Request", "body.temperature", "2 validation errors:"}));

TEST(FieldsTest, CoercesAsLaxlyAsVllm) {
  Json body = with_messages(
      R"("max_tokens":"5","top_k":5.0,"n":true,"stream":"yes","temperature":"0.5","stop":"a","ignore_eos":1)");
  ASSERT_FALSE(check_fields(body, kChat, {}));
  EXPECT_EQ(find_int(body, "max_tokens"), 5);
  EXPECT_EQ(find_int(body, "top_k"), 5);
  EXPECT_EQ(find_int(body, "n"), 1);
  EXPECT_EQ(find_bool(body, "stream"), true);
  EXPECT_EQ(find_float(body, "temperature"), 0.5);
  EXPECT_EQ(body.find("stop")->as_array().size(), 1U);
  EXPECT_EQ(find_bool(body, "ignore_eos"), true);
}

TEST(FieldsTest, NeutralValuesOfUnofferedFieldsPass) {
  Json body = with_messages(
      R"("tools":null,"tool_choice":"none","response_format":{"type":"text"},"use_beam_search":false,"best_of":1,"unknown":{"a":1})");
  EXPECT_FALSE(check_fields(body, kChat, {}));
}

TEST(FieldsTest, PromptIsOneOfFourShapes) {
  for (const char* good : {R"("a")", "[1,2]", "[true]", R"(["a","b"])", "[[1],[2,3]]", "[]", "null"}) {
    Json body;
    ASSERT_FALSE(parse_body(std::string("{\"prompt\":") + good + "}", body));
    EXPECT_FALSE(check_fields(body, kCompletions, {})) << good;
  }
  const std::pair<const char*, size_t> wrong[] = {
      {"5", 4}, {"[1.5]", 4}, {R"(["a",1])", 5}, {R"([[1],"a"])", 5}, {"[-1]", 4}};
  for (const auto& [text, count] : wrong) {
    Json body;
    ASSERT_FALSE(parse_body(std::string("{\"prompt\":") + text + "}", body));
    const auto error = check_fields(body, kCompletions, {});
    ASSERT_TRUE(error) << text;
    EXPECT_TRUE(error->message.starts_with(std::to_string(count) + " validation errors:")) << error->message;
  }
}

TEST(FieldsTest, BodiesThatAreNoObjects) {
  for (const char* text : {"[]", "5", "\"x\"", "true", "NaN"}) {
    Json body;
    ASSERT_FALSE(parse_body(text, body));
    EXPECT_EQ(check_fields(body, kChat, {})->param, "body") << text;
  }
}

TEST(FieldsTest, NoFieldHasTwoRulesForOneEndpoint) {
  std::set<std::pair<std::string_view, uint32_t>> seen;
  for (const FieldRule& rule : field_rules()) {
    for (uint32_t bit = 1; bit <= kSampling; bit *= 2) {
      if ((rule.endpoints & bit) == 0) continue;
      EXPECT_TRUE(seen.emplace(rule.name, bit).second) << rule.name;
    }
  }
}

TEST(FieldsTest, AThousandWrongItemsGiveAShortAnswer) {
  std::string text = "{\"prompt\":[";
  for (int i = 0; i < 100'000; ++i) text += i == 0 ? "1.5" : ",1.5";
  Json body;
  ASSERT_FALSE(parse_body(text + "]}", body));
  EXPECT_LT(check_fields(body, kCompletions, {})->message.size(), 20'000U);
}

TEST(FieldsTest, WrongItemsAreNotCollectedWithoutLimit) {
  // Each kept error is some hundred bytes: a body of two-byte items would take gigabytes.
  const auto repeated = [](const std::string& item) {
    std::string text = item;
    for (int i = 1; i < 100'000; ++i) text += ',' + item;
    return text;
  };
  const std::pair<Endpoint, std::string> bodies[] = {
      {kCompletions, "{\"prompt\":[" + repeated("{}") + "]}"},
      {kCompletions, "{\"prompt\":[" + repeated("[-1]") + "]}"},
      {kCompletions, R"({"prompt":"x","stop_token_ids":[)" + repeated("{}") + "]}"},
      {kCompletions, R"({"prompt":"x","logit_bias":{)" + repeated("\"1\":{}") + "}}"},
      {kChat, "{\"messages\":[" + repeated("{}") + "]}"},
      {kChat, R"({"messages":[{"role":"assistant","content":"x","tool_calls":[)" + repeated("{}") + "]}]}"},
  };
  for (const auto& [endpoint, text] : bodies) {
    Json body;
    // The tolerant parser keeps repeated names apart, so that the map has as many members as the list has items.
    ASSERT_FALSE(parse_body("{\"x\":NaN," + text.substr(1), body));
    EXPECT_LT(check_schema(body, endpoint, {}).size(), 5 * kSchemaErrorsMax) << text.substr(0, 60);
    EXPECT_TRUE(check_fields(body, endpoint, {})->message.starts_with("at least ")) << text.substr(0, 60);
  }
}

}  // namespace
}  // namespace seraph
