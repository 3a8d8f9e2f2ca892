#include "daemon/api/endpoints.h"

#include <algorithm>
#include <iterator>

#include "daemon/api/anthropic.h"
#include "daemon/api/generative_scoring.h"
#include "daemon/api/responses.h"
#include "daemon/api/token_generation.h"
#include "engine/base/check.h"

namespace seraph {
namespace {

using Shape = LogprobColumns::Shape;

constexpr GenerationEndpoint kEndpoints[] = {
    {kChat, "/v1/chat/completions", "chatcmpl-", prepare_chat, make_chat_format, Shape::kChat},
    {kBatchChat, "/v1/chat/completions/batch", "chatcmpl-", prepare_batch_chat, make_chat_format, Shape::kChat},
    {kCompletions, "/v1/completions", "cmpl-", prepare_completion, make_completion_format, Shape::kCompletions},
    {kResponses, "/v1/responses", "resp_", prepare_responses, make_responses_format, Shape::kList},
    {kMessages, "/v1/messages", "chatcmpl-", prepare_anthropic, make_anthropic_format, Shape::kChat},
    {kScoring, "/generative_scoring", "generative-scoring-", prepare_scoring, make_scoring_format, Shape::kTokens},
    {kTokens, "/inference/v1/generate", "generate-tokens-", prepare_tokens, make_tokens_format, Shape::kTokens},
    {kInvocations, "/invocations", "", prepare_invocation, nullptr, Shape::kChat},
};

}  // namespace

std::span<const GenerationEndpoint> generation_endpoints() { return kEndpoints; }

const GenerationEndpoint& generation_endpoint(Endpoint endpoint) {
  const auto* found = std::find_if(std::begin(kEndpoints), std::end(kEndpoints),
                                   [endpoint](const auto& row) { return row.endpoint == endpoint; });
  SERAPH_CHECK(found != std::end(kEndpoints), "the endpoint generates");
  return *found;
}

const char* id_prefix(Endpoint endpoint) {
  switch (endpoint) {
    case kEmbeddings:
      return "embd-";
    case kPooling:
      return "pooling-";
    case kClassify:
      return "classify-";
    case kScore:
    case kRerank:
      return "score-";
    default:
      return generation_endpoint(endpoint).id_prefix;
  }
}

}  // namespace seraph
