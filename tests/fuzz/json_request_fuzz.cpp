// Request bodies: parsing, the field table, message normalisation and sampling rules on arbitrary bytes. The first
// byte chooses the endpoint.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/api/body.h"
#include "daemon/api/fields.h"
#include "daemon/api/messages.h"
#include "daemon/api/sampling.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace seraph;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr Endpoint kEndpoints[] = {kChat, kCompletions, kTokenizeChat, kTokenizeText, kDetokenize};
  const Endpoint endpoint = kEndpoints[data[0] % 5];
  Json body;
  if (const auto error = parse_body(bytes, body)) {
    error_json(*error);
    return 0;
  }
  if (const auto error = check_fields(body, endpoint, {})) {
    error_json(*error);
    return 0;
  }
  if (endpoint == kChat || endpoint == kCompletions) {
    GenerationParams params;
    if (read_params(body, endpoint, ApiOptions{}, {.vocab_size = 777, .max_model_len = 512}, params)) return 0;
    int32_t tokens_max = 0;
    if (plan_tokens_max(params, 5, 512, tokens_max)) return 0;
  }
  if (const Json* messages = find_given(body, "messages"); messages != nullptr && endpoint != kCompletions) {
    NormalMessages out;
    if (endpoint == kChat || endpoint == kTokenizeChat) {
      if (normalise_messages(*messages, data[0] % 2 == 0, "m", out)) return 0;
    }
  }
  return 0;
}
