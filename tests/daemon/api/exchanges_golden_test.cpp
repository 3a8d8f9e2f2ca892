// Recorded refusals of a real vLLM: the same requests are refused with the same status, type and field, without an
// engine. What is answered with 200 there is prepared without an error here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "daemon/api/anthropic.h"
#include "daemon/api/prepare.h"
#include "daemon/api/responses.h"
#include "daemon/api/tokenize.h"

namespace seraph {
namespace {

std::string golden_dir() {
  const char* given = std::getenv("SERAPH_GOLDEN_DIR");
  return given != nullptr ? given : SERAPH_SOURCE_DIR "/../shared/golden";
}

const std::set<std::string> kLater = {"prompt_embeds",     "mm_processor_kwargs",   "repetition_detection",
                                      "logits_processors", "thinking_token_budget", "output_config",
                                      "vllm_xargs"};

/// Refused or answered otherwise than recorded, on purpose.
const std::set<std::string> kOtherwise = {
    "plain/chat.so_list",  // a crash there
};

/// Choices that vLLM takes in /v1/responses and then does not honour: here they are refused. And what works here
/// without being switched on.
const std::set<std::string> kBetter = {"plain/responses.tools_required_no_parser",
                                       "plain/responses.tools_named_no_parser", "plain/responses.background"};

/// Refused as there, in other words: a count of fields or the name of one that vLLM
/// itself put there, two mistakes of which the other one is named.
const std::set<std::string> kOwnWords = {"plain/responses.input_missing", "plain/messages.max_tokens_huge",
                                         "plain/messages.tools_tool_unknown"};

bool is_later(const Json& body) {
  if (!body.is_object()) return false;
  for (const auto& [name, value] : body.as_object()) {
    if (kLater.contains(name)) return true;
    if (name == "text" && value.find("format")->find("type")->as_string() != "text") return true;
  }
  return false;
}

std::string bytes_of(const Json& request) {
  if (const Json* body = request.find("body")) return body->dump();
  if (const Json* text = request.find("body_text")) return text->as_string();
  std::string out;
  if (const Json* hex = request.find("body_hex")) {
    for (size_t i = 0; i + 1 < hex->as_string().size(); i += 2) {
      out += static_cast<char>(std::stoi(hex->as_string().substr(i, 2), nullptr, 16));
    }
  }
  return out;
}

/// The last word of a param that names a field: "stop" of "body.stop.0".
std::string field_of(const Json* param) {
  if (param == nullptr || !param->is_string()) return {};
  const std::string& text = param->as_string();
  const std::string last = text.substr(text.find_last_of('.') + 1);
  return last.find_first_not_of("0123456789") == std::string::npos ? std::string() : last;
}

bool has_long_number(const std::string& text) {
  size_t run = 0;
  for (const char c : text) {
    run = c >= '0' && c <= '9' ? run + 1 : 0;
    if (run >= 19) return true;
  }
  return false;
}

TEST(ExchangesGoldenTest, RequestsAreRefusedAndAcceptedAsRecorded) {
  std::ifstream file(golden_dir() + "/api/exchanges.jsonl");
  if (!file) GTEST_SKIP() << "no golden folder at " << golden_dir();
  const auto tokenizer = std::move(Tokenizer::load(golden_dir() + "/api/model")).value();
  EngineInfo info;
  info.vocab_size = 777;
  info.max_model_len = 512;
  ApiOptions options;
  options.served_model_names = {"tiny", "tiny-alias"};
  const auto context = std::move(PrepareContext::make(*tokenizer, info, options)).value();
  int num_cases = 0;
  for (std::string line; std::getline(file, line);) {
    const Json record = Json::parse(line).value();
    const Json& request = *record.find("request");
    const std::string& path = request.find("path")->as_string();
    if (record.find("server")->as_string() != "plain" || request.find("method")->as_string() != "POST") continue;
    if (const Json* body = request.find("body"); body != nullptr && is_later(*body)) continue;
    const std::string& name = record.find("name")->as_string();
    if (name.starts_with("plain/type.")) continue;  // the media type is checked before
    if (kBetter.contains(name) || kOtherwise.contains(name)) continue;
    PreparedGeneration prepared;
    std::string answer;
    std::optional<ApiError> error;
    if (path == "/v1/chat/completions") {
      error = prepare_chat(bytes_of(request), *context, prepared);
    } else if (path == "/v1/completions") {
      error = prepare_completion(bytes_of(request), *context, prepared);
    } else if (path == "/v1/responses") {
      error = prepare_responses(bytes_of(request), *context, prepared);
    } else if (path == "/v1/messages") {
      error = prepare_anthropic(bytes_of(request), *context, prepared);
    } else if (path == "/v1/messages/count_tokens") {
      error = answer_count_tokens(bytes_of(request), *context, answer);
    } else if (path == "/tokenize") {
      error = answer_tokenize(bytes_of(request), *context, answer);
    } else if (path == "/detokenize") {
      error = answer_detokenize(bytes_of(request), *context, answer);
    } else {
      continue;
    }
    ++num_cases;
    const Json& response = *record.find("response");
    const int64_t status = response.find("status")->as_int();
    EXPECT_EQ(error ? error->status : 200, status) << name << (error ? ": " + error->message : "");
    if (!error || status == 200) continue;
    const Json* body = response.find("body");
    const Json* want = body == nullptr ? nullptr : body->find("error");
    if (want == nullptr || !want->is_object()) {
      EXPECT_TRUE(error->bare) << name;
      continue;
    }
    const std::string field = field_of(want->find("param"));
    EXPECT_NE((error->param.value_or("") + error->message).find(field), std::string::npos)
        << name << ": " << error->message;
    const std::string& check = record.find("check")->as_string();
    if (check == "error_free" || kOwnWords.contains(name)) continue;
    EXPECT_EQ(error->type, want->find("type")->as_string()) << name;
    const std::string& message = want->find("message")->as_string();
    if (check != "error" && !message.starts_with("1 validation error:")) continue;
    // Integers beyond 64 bits are shown as what they were read as; hints at environment variables are not ours.
    if (has_long_number(message)) continue;
    EXPECT_TRUE(message.starts_with(error->message)) << name << ": " << error->message;
  }
  std::cout << num_cases << " exchanges\n";
  EXPECT_GT(num_cases, 400);
}

}  // namespace
}  // namespace seraph
