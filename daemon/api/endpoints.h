// What differs between the endpoints that generate: one table, read by the routes, the dispatcher and Generation.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/api/answer.h"
#include "daemon/api/fields.h"
#include "daemon/api/logprobs.h"
#include "daemon/api/prepare.h"

namespace seraph {

struct GenerationEndpoint {
  using Prepare = std::optional<ApiError> (*)(std::string_view, const PrepareContext&, PreparedGeneration&);

  Endpoint endpoint;
  const char* path;       // of the route; records and logs name it
  const char* id_prefix;  // of answers
  Prepare prepare;
  std::unique_ptr<AnswerFormat> (*make_format)(AnswerFacts);
  LogprobColumns::Shape logprob_shape;
};

std::span<const GenerationEndpoint> generation_endpoints();
/// REQUIRES: the endpoint generates.
const GenerationEndpoint& generation_endpoint(Endpoint endpoint);

/// What the ids of answers begin with, also of endpoints that pool.
const char* id_prefix(Endpoint endpoint);

}  // namespace seraph
