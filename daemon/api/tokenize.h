// POST /tokenize and /detokenize. Pure functions for the worker pool.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/errors.h"
#include "daemon/api/prepare.h"

namespace seraph {

/// {"count","max_model_len","tokens","token_strs"} of a text or, when `messages` is there, of a conversation.
std::optional<ApiError> answer_tokenize(std::string_view bytes, const PrepareContext& context, std::string& out);
/// {"prompt": text}, special tokens kept.
std::optional<ApiError> answer_detokenize(std::string_view bytes, const PrepareContext& context, std::string& out);

}  // namespace seraph
