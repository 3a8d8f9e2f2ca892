// POST /generative_scoring: how likely given tokens are to follow a query and each of several items. A request of one
// token for each item, whose log probabilities for the labels become the score.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "daemon/api/answer.h"
#include "daemon/api/prepare.h"

namespace seraph {

std::optional<ApiError> prepare_scoring(std::string_view bytes, const PrepareContext& context, PreparedGeneration& out);

std::unique_ptr<AnswerFormat> make_scoring_format(AnswerFacts facts);

}  // namespace seraph
