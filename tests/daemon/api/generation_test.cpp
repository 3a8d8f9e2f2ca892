#include "daemon/api/generation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "daemon/api/response_store.h"
#include "daemon/api/responses.h"
#include "tests/daemon/api/fake_exchange.h"

namespace seraph {
namespace {

class GenerationTest : public testing::Test {
 protected:
  GenerationTest()
      : tokenizer_(std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value()), metrics_("tiny", {}) {
    options_.served_model_names = {"tiny"};
    services_.cancel = [this](RequestId id) { cancelled_.push_back(id); };
    services_.tokenizer = tokenizer_.get();
    services_.options = &options_;
    services_.metrics = &metrics_;
    services_.fingerprint = "fp";
    services_.eos_id = 772;
    prepared_.role = "assistant";
    prepared_.prompts.push_back({.ids = {1, 2, 3}, .text = "Say", .tokens_max = 10});
  }

  Generation& make(Endpoint endpoint = kChat) {
    generation_ = std::make_unique<Generation>(Generation::Args{.services = &services_,
                                                                .exchange = exchange_,
                                                                .endpoint = endpoint,
                                                                .id = "id-1",
                                                                .prepared = prepared_,
                                                                .random = [] { return uint64_t{99}; }});
    for (size_t i = 0; i < generation_->num_sequences(); ++i) {
      requests_.push_back(generation_->make_request(i, 100 + i));
    }
    return *generation_;
  }

  bool token(const std::string& text, FinishReason finish = FinishReason::kNone, size_t sequence = 0) {
    Event event;
    event.id = 100 + sequence;
    event.token = tokenizer_->encode(text, false).front();
    event.finish = finish;
    event.scheduled_us = 1;
    event.published_us = 2;
    return generation_->on_event(sequence, event);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  ApiOptions options_;
  ApiMetrics metrics_;
  GenerationServices services_;
  PreparedGeneration prepared_;
  std::shared_ptr<FakeExchange> exchange_ = std::make_shared<FakeExchange>();
  std::unique_ptr<Generation> generation_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<RequestId> cancelled_;
};

TEST_F(GenerationTest, WholeAnswerHasTextReasonAndUsage) {
  make();
  EXPECT_FALSE(token("The"));
  EXPECT_TRUE(token("<|im_end|>", FinishReason::kStop));
  ASSERT_EQ(exchange_->status, 200);
  const Json body = Json::parse(exchange_->body).value();
  const Json& choice = body.find("choices")->as_array().front();
  EXPECT_EQ(choice.find("message")->find("content")->as_string(), "The");
  EXPECT_EQ(choice.find("finish_reason")->as_string(), "stop");
  EXPECT_TRUE(choice.find("stop_reason")->is_null());
  EXPECT_EQ(body.find("usage")->find("completion_tokens")->as_int(), 2);
  EXPECT_EQ(body.find("usage")->find("total_tokens")->as_int(), 5);
}

/// The types of a stream's events.
std::vector<std::string> event_types(const std::string& body) {
  std::vector<std::string> types;
  for (size_t at = body.find("event: "); at != std::string::npos; at = body.find("event: ", at + 1)) {
    types.push_back(body.substr(at + 7, body.find('\n', at) - at - 7));
  }
  return types;
}

TEST_F(GenerationTest, ResponsesStreamHasTheWholeSequenceAndIsKept) {
  ResponseStore kept({}, nullptr);
  services_.responses = &kept;
  prepared_.params.stream = true;
  prepared_.responses = std::make_shared<ResponsesRequest>(
      ResponsesRequest{.body = Json(Json::Object{}), .conversation = {}, .tool_choice = "\"none\"", .store = true});
  make(kResponses);
  token("The");
  token(" capital", FinishReason::kLength);
  generation_->flush();
  EXPECT_EQ(event_types(exchange_->body),
            (std::vector<std::string>{
                "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
                "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
                "response.content_part.done", "response.output_item.done", "response.incomplete"}));
  const auto row = kept.find("", "id-1");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->messages, R"([{"role":"assistant","content":"The capital"}])");
  const Json body = Json::parse(row->body).value();
  EXPECT_EQ(body.find("incomplete_details")->find("reason")->as_string(), "max_output_tokens");
  EXPECT_EQ(body.find("usage")->find("total_tokens")->as_int(), 5);
  EXPECT_EQ(exchange_->body.find("[DONE]"), std::string::npos);
}

TEST_F(GenerationTest, ResponsesNumberThinkingTextAndCallsAsItems) {
  prepared_.params.stream = true;
  prepared_.output.format = {.tool_parser = "hermes", .reasoning_parser = "qwen3"};
  prepared_.responses = std::make_shared<ResponsesRequest>(
      ResponsesRequest{.body = Json(Json::Object{}), .conversation = {}, .tool_choice = "\"auto\"", .store = false});
  make(kResponses);
  for (const TokenId id :
       tokenizer_->encode("<think>hm</think>\n<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>", false)) {
    Event event{.id = 100, .token = id, .scheduled_us = 1, .published_us = 2};
    generation_->on_event(0, event);
  }
  token("<|im_end|>", FinishReason::kStop);
  generation_->flush();
  const std::vector<std::string> types = event_types(exchange_->body);
  EXPECT_EQ(std::count(types.begin(), types.end(), "response.output_item.added"), 2);
  EXPECT_EQ(std::count(types.begin(), types.end(), "response.output_text.delta"), 0) << "only a line break";
  EXPECT_EQ(std::count(types.begin(), types.end(), "response.function_call_arguments.done"), 1);
  EXPECT_EQ(types.back(), "response.completed");
  EXPECT_NE(exchange_->body.find(R"("output_index":1)"), std::string::npos);
}

TEST_F(GenerationTest, MessagesStreamBlocksAndStopReason) {
  prepared_.params.stream = true;
  prepared_.output.format = {.tool_parser = "hermes", .reasoning_parser = "qwen3"};
  make(kMessages);
  const char* text = "<think>hm</think>\nSo.<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>";
  for (const TokenId id : tokenizer_->encode(text, false)) {
    Event event{.id = 100, .token = id, .scheduled_us = 1, .published_us = 2};
    generation_->on_event(0, event);
  }
  token("<|im_end|>", FinishReason::kStop);
  generation_->flush();
  std::string blocks;
  for (const char* type : {"thinking", "text", "tool_use"}) {
    const size_t at = exchange_->body.find(std::string(R"("content_block":{"type":")") + type);
    ASSERT_NE(at, std::string::npos) << type;
    blocks += std::to_string(at) + ' ';
  }
  const std::vector<std::string> types = event_types(exchange_->body);
  EXPECT_EQ(types.front(), "message_start");
  EXPECT_EQ(std::count(types.begin(), types.end(), "content_block_stop"), 3);
  EXPECT_EQ(types.back(), "message_stop");
  EXPECT_NE(exchange_->body.find(R"("type":"signature_delta")"), std::string::npos);
  EXPECT_NE(exchange_->body.find(R"("delta":{"stop_reason":"tool_use","stop_sequence":null})"), std::string::npos);
}

TEST_F(GenerationTest, MessagesWholeAnswerTellsTheStopSequence) {
  prepared_.params.stop = {"capital"};
  make(kMessages);
  token("The");
  EXPECT_TRUE(token(" capital"));
  const Json body = Json::parse(exchange_->body).value();
  EXPECT_EQ(body.find("content")->dump(), R"([{"type":"text","text":"The "}])");
  EXPECT_EQ(body.find("stop_reason")->as_string(), "stop_sequence");
  EXPECT_EQ(body.find("stop_sequence")->as_string(), "capital");
  EXPECT_EQ(body.find("usage")->dump(), R"({"input_tokens":3,"output_tokens":2})");
}

TEST_F(GenerationTest, MessagesErrorsHaveAnthropicsShape) {
  make(kMessages);
  generation_->fail({.status = 429, .type = "TooManyRequestsError", .message = "full"});
  EXPECT_EQ(exchange_->body,
            R"({"type":"error","error":{"type":"rate_limit_error","message":"full","param":null,"code":429}})");
}

TEST_F(GenerationTest, WhatWasPassedOverIsAHeader) {
  prepared_.warnings = {"unknown fields: foo", "say \"x\"\n"};
  make();
  token("The", FinishReason::kLength);
  ASSERT_EQ(exchange_->headers.size(), 1U);
  EXPECT_EQ(exchange_->headers[0].name, "warning");
  EXPECT_EQ(exchange_->headers[0].value, "299 seraph \"unknown fields: foo; say ?x??\"");
}

TEST_F(GenerationTest, StreamEventsHaveVllmsKindsInOrder) {
  prepared_.params.stream = true;
  prepared_.params.include_usage = true;
  make();
  token("The");
  token(" capital", FinishReason::kLength);
  generation_->flush();
  const std::string head = R"(data: {"id":"id-1","object":"chat.completion.chunk","created":)";
  EXPECT_TRUE(exchange_->streaming);
  std::vector<std::string> events;
  for (size_t at = 0; at < exchange_->body.size();) {
    const size_t end = exchange_->body.find("\n\n", at);
    events.push_back(exchange_->body.substr(at, end - at));
    at = end + 2;
  }
  ASSERT_EQ(events.size(), 5U);
  EXPECT_TRUE(events[0].starts_with(head));
  EXPECT_NE(
      events[0].find(
          R"("delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null})"),
      std::string::npos);
  EXPECT_NE(
      events[1].find(
          R"("choices":[{"index":0,"delta":{"content":"The"},"logprobs":null,"finish_reason":null,"token_ids":null}]})"),
      std::string::npos);
  EXPECT_NE(
      events[2].find(
          R"("delta":{"content":" capital"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}]})"),
      std::string::npos);
  EXPECT_NE(
      events[3].find(
          R"("choices":[],"usage":{"prompt_tokens":3,"total_tokens":5,"completion_tokens":2},"system_fingerprint":"fp"})"),
      std::string::npos);
  EXPECT_EQ(events[4], "data: [DONE]");
  EXPECT_TRUE(exchange_->complete);
}

/// The deltas of a stream's events, without the opening one.
std::vector<std::string> deltas_of(const std::string& body) {
  std::vector<std::string> deltas;
  for (size_t at = body.find("data: {"); at != std::string::npos; at = body.find("data: {", at + 1)) {
    const Json event = Json::parse(body.substr(at + 6, body.find("\n\n", at) - at - 6)).value();
    const Json::Array& choices = event.find("choices")->as_array();
    if (choices.empty()) continue;
    deltas.push_back(choices.front().find("delta")->dump());
    const Json* reason = choices.front().find("finish_reason");
    if (!reason->is_null()) deltas.push_back(reason->as_string());
  }
  deltas.erase(deltas.begin());
  return deltas;
}

TEST_F(GenerationTest, AStreamedCallHasItsNameOnceAndNoNulls) {
  prepared_.params.stream = true;
  prepared_.params.skip_special_tokens = false;
  prepared_.output.format = {.tool_parser = "hermes", .timing = ParseTiming::kWritten};
  make();
  for (const char* piece : {"Let", "<tool_call>", "\n", "{\"", "name", "\":", " \"", "get", "\",", " \"", "arguments",
                            "\":", " {\"", "location", "\":", " \"", "Paris", "\"}}\n", "</tool_call>"}) {
    token(piece);
  }
  token("<|im_end|>", FinishReason::kStop);
  generation_->flush();
  EXPECT_EQ(
      deltas_of(exchange_->body),
      (std::vector<std::string>{
          R"({"content":"Let"})",
          R"({"tool_calls":[{"index":0,"id":"chatcmpl-tool-0000000000000063","type":"function","function":{"name":"get","arguments":"{\""}}]})",
          R"({"tool_calls":[{"index":0,"function":{"arguments":"location"}}]})",
          R"({"tool_calls":[{"index":0,"function":{"arguments":"\":"}}]})",
          R"({"tool_calls":[{"index":0,"function":{"arguments":" \""}}]})",
          R"({"tool_calls":[{"index":0,"function":{"arguments":"Paris"}}]})",
          R"({"tool_calls":[{"index":0,"function":{"arguments":"\"}"}}]})", "{}", "tool_calls"}));
}

TEST_F(GenerationTest, ThinkingIsSplitOffAndCounted) {
  prepared_.output.format = {.reasoning_parser = "qwen3"};
  make();
  for (const char* piece : {"<think>", "\n", "Two", "</think>", "The"}) token(piece);
  token("<|im_end|>", FinishReason::kStop);
  const Json body = Json::parse(exchange_->body).value();
  const Json& message = *body.find("choices")->as_array().front().find("message");
  EXPECT_EQ(message.find("content")->as_string(), "The");
  EXPECT_EQ(message.find("reasoning_content")->as_string(), "\nTwo");
  EXPECT_EQ(message.find("reasoning")->as_string(), "\nTwo");
  EXPECT_EQ(body.find("usage")->find("completion_tokens_details")->find("reasoning_tokens")->as_int(), 2);
}

TEST_F(GenerationTest, AStopStringCancelsTheRequest) {
  prepared_.params.stop = {"capital"};
  make();
  token("The");
  EXPECT_TRUE(token(" capital"));
  EXPECT_EQ(cancelled_, std::vector<RequestId>{100});
  EXPECT_NE(exchange_->body.find(R"("content":"The ")"), std::string::npos);
  EXPECT_NE(exchange_->body.find(R"("stop_reason":"capital")"), std::string::npos);
}

TEST_F(GenerationTest, AnotherEndIdNamesItself) {
  make(kCompletions);
  token("<|endoftext|>", FinishReason::kStop);
  EXPECT_NE(
      exchange_->body.find("\"stop_reason\":" + std::to_string(tokenizer_->encode("<|endoftext|>", false).front())),
      std::string::npos)
      << exchange_->body;
}

TEST_F(GenerationTest, SeedsOfChoicesFollowTheSeed) {
  prepared_.params.n = 3;
  prepared_.params.seeded = true;
  prepared_.params.sampling.seed = 7;
  make();
  EXPECT_EQ(requests_[0]->sampling.seed, 7U);
  EXPECT_EQ(requests_[2]->sampling.seed, 9U);
  EXPECT_EQ(requests_[1]->sampling.tokens_max, 10);
}

TEST_F(GenerationTest, EchoOfCompletionsPutsThePromptFirst) {
  prepared_.params.stream = true;
  prepared_.params.echo = true;
  make(kCompletions);
  token("The");
  token(" capital", FinishReason::kLength);
  generation_->flush();
  EXPECT_NE(exchange_->body.find(R"("text":"SayThe")"), std::string::npos);
  EXPECT_NE(exchange_->body.find(R"("prompt_token_ids":[1,2,3])"), std::string::npos);
}

TEST_F(GenerationTest, AbandoningCancelsEverySequence) {
  prepared_.params.n = 2;
  make();
  token("The");
  generation_->abandon();
  EXPECT_EQ(cancelled_, (std::vector<RequestId>{100, 101}));
  EXPECT_TRUE(token(" capital"));
  EXPECT_EQ(exchange_->status, 0);
}

TEST_F(GenerationTest, AnErrorBeforeTheFirstTokenIsAPlainAnswerAndLaterAnEvent) {
  prepared_.params.stream = true;
  make();
  Event event;
  event.finish = FinishReason::kError;
  event.error = std::make_unique<std::string>("device lost");
  generation_->on_event(0, event);
  EXPECT_EQ(exchange_->status, 500);

  exchange_ = std::make_shared<FakeExchange>();
  make();
  token("The");
  event.error = std::make_unique<std::string>("device lost");
  generation_->on_event(0, event);
  generation_->flush();
  EXPECT_TRUE(exchange_->body.ends_with("\n\ndata: [DONE]\n\n"));
  EXPECT_NE(exchange_->body.find(R"(data: {"error":{"message":"device lost")"), std::string::npos);
}

TEST_F(GenerationTest, ASlowReaderHasABoundedBacklog) {
  prepared_.params.stream = true;
  options_.stream_backlog_bytes_max = 1000;
  exchange_->room = false;
  make();
  token("The");
  generation_->flush();
  const size_t sent = exchange_->body.size();
  for (int i = 0; i < 100 && !generation_->over(); ++i) {
    token("The");
    generation_->flush();
  }
  EXPECT_TRUE(generation_->over());
  EXPECT_EQ(cancelled_, std::vector<RequestId>{100});
  EXPECT_LT(exchange_->body.size(), sent + 2000);
}

TEST_F(GenerationTest, BacklogGoesOutWhenTheSocketDrains) {
  prepared_.params.stream = true;
  exchange_->room = false;
  make();
  token("The");
  generation_->flush();
  const size_t sent = exchange_->body.size();
  token(" capital");
  generation_->flush();
  EXPECT_EQ(exchange_->body.size(), sent);
  exchange_->room = true;
  generation_->resume();
  EXPECT_NE(exchange_->body.find(" capital"), std::string::npos);
}

TEST_F(GenerationTest, StreamIntervalJoinsTokens) {
  prepared_.params.stream = true;
  prepared_.params.stream_interval = 2;
  make();
  for (int i = 0; i < 5; ++i) token("The");
  token("The", FinishReason::kLength);
  generation_->flush();
  size_t deltas = 0;
  for (size_t at = 0; (at = exchange_->body.find("\"token_ids\"", at)) != std::string::npos; ++at) ++deltas;
  EXPECT_EQ(deltas, 8U - 4U);  // the first alone, then pairs, then the rest; prompt_token_ids does not match
}

TEST_F(GenerationTest, ChoicesShareThePromptAndTheListsOfSampling) {
  prepared_.params.n = 3;
  prepared_.params.sampling.bad_words = std::vector<std::vector<TokenId>>{{1, 2}, {3}};
  prepared_.params.sampling.logit_bias = {{5, 1.0F}};
  make();
  ASSERT_EQ(requests_.size(), 3U);
  EXPECT_EQ(requests_[2]->prompt_ids, (std::vector<TokenId>{1, 2, 3}));
  EXPECT_EQ(requests_[0]->prompt_ids.data(), requests_[2]->prompt_ids.data());
  EXPECT_EQ(requests_[0]->sampling.bad_words.data(), requests_[2]->sampling.bad_words.data());
  EXPECT_EQ(requests_[0]->sampling.logit_bias.data(), requests_[2]->sampling.logit_bias.data());
}

}  // namespace
}  // namespace seraph
