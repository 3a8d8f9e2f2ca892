#include "daemon/api/openai_format.h"

#include <charconv>
#include <utility>

#include "daemon/api/errors.h"
#include "daemon/api/logprobs.h"

namespace seraph {
namespace {

constexpr const char* kDone = "data: [DONE]\n\n";

}  // namespace

void append_usage_object(std::string& out, const Usage& usage, bool with_nulls) {
  out += "{\"prompt_tokens\":" + std::to_string(usage.prompt_tokens);
  out += ",\"total_tokens\":" + std::to_string(usage.prompt_tokens + usage.completion_tokens);
  out += ",\"completion_tokens\":" + std::to_string(usage.completion_tokens);
  if (usage.cached_tokens) {
    out += ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(*usage.cached_tokens) + '}';
  } else if (with_nulls) {
    out += ",\"prompt_tokens_details\":null";
  }
  if (usage.reasoning_tokens) {
    out += ",\"completion_tokens_details\":{\"reasoning_tokens\":" + std::to_string(*usage.reasoning_tokens) + '}';
  } else if (with_nulls) {
    out += ",\"completion_tokens_details\":null";
  }
  out += '}';
}

std::string float_json(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double wide = 0;
  std::from_chars(text, end, wide);
  std::string out;
  append_json_double(out, wide);
  return out;
}

OpenAiFormat::OpenAiFormat(AnswerFacts facts, std::string_view object, std::string_view chunk_object)
    : facts_(std::move(facts)) {
  const auto head = [this](std::string_view name) {
    std::string out = "{\"id\":";
    append_json_string(out, facts_.id);
    out += ",\"object\":\"" + std::string(name) + "\",\"created\":" + std::to_string(facts_.created) + ",\"model\":";
    append_json_string(out, facts_.model);
    return out;
  };
  head_ = head(object);
  chunk_head_ = "data: " + head(chunk_object);
  fingerprint_ = ",\"system_fingerprint\":";
  append_json_string(fingerprint_, facts_.fingerprint);
}

void OpenAiFormat::end_stream(std::string& out, const Usage& usage) {
  if (facts_.request->params.include_usage) {
    out += chunk_head_ + ",\"choices\":[],\"usage\":";
    append_usage_object(out, usage, false);
    out += fingerprint_ + "}\n\n";
  }
  out += kDone;
}

void OpenAiFormat::fail_stream(std::string& out, const ApiError& error) {
  out += "data: " + error_json(error) + "\n\n";
  out += kDone;
}

void OpenAiFormat::append_body_usage(std::string& out, const Usage& usage) const {
  out += ",\"service_tier\":null" + fingerprint_ + ",\"usage\":";
  append_usage_object(out, usage, true);
}

void OpenAiFormat::append_running_usage(std::string& out, const Usage& usage) const {
  if (!facts_.request->params.continuous_usage) return;
  out += ",\"usage\":";
  append_usage_object(out, usage, false);
}

void OpenAiFormat::append_chunk_tail(std::string& out, const Usage& usage, bool last_event) const {
  append_running_usage(out, usage);
  if (last_event) out += fingerprint_;
  out += "}\n\n";
}

void OpenAiFormat::append_finish(std::string& out, const char* finish_reason, std::string_view stop_reason) const {
  out += ",\"finish_reason\":\"";
  out += finish_reason;
  out += "\",\"stop_reason\":";
  out += stop_reason;
}

void OpenAiFormat::append_token_ids(std::string& out, std::span<const TokenId> ids) const {
  out += ",\"token_ids\":";
  if (facts_.request->params.return_token_ids) {
    append_ids(out, ids);
  } else {
    out += "null";
  }
}

void OpenAiFormat::append_prompt_ids(std::string& out, size_t prompt, bool shown) const {
  out += ",\"prompt_token_ids\":";
  if (shown) {
    append_ids(out, facts_.request->prompts[prompt].ids);
  } else {
    out += "null";
  }
}

void OpenAiFormat::append_prompt_logprobs_of(std::string& out, const Choice& choice) const {
  out += ",\"prompt_logprobs\":";
  if (choice.prompt_logprobs != nullptr) {
    append_prompt_logprobs(out, *choice.prompt_logprobs, *facts_.tokenizer);
  } else {
    out += "null";
  }
}

}  // namespace seraph
