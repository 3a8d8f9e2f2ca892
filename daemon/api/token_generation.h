// POST /inference/v1/generate: ids in, ids out, for a router that renders prompts and answers elsewhere
// (--enable-scale-out). Its output mode "text" adds the text.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "daemon/api/answer.h"
#include "daemon/api/prepare.h"

namespace seraph {

std::optional<ApiError> prepare_tokens(std::string_view bytes, const PrepareContext& context, PreparedGeneration& out);

std::unique_ptr<AnswerFormat> make_tokens_format(AnswerFacts facts);

/// The body of /inference/v1/abort_requests: ids of answers.
std::optional<ApiError> read_abort(std::string_view bytes, std::unordered_set<std::string>& ids);

}  // namespace seraph
