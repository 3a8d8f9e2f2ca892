#include "daemon/api/constraints.h"

#include <gtest/gtest.h>

#include "engine/grammar/matcher.h"

namespace seraph {
namespace {

using Kind = ConstraintSource::Kind;

class ConstraintsTest : public testing::Test {
 protected:
  ConstraintsTest()
      : tokenizer_(std::move(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model")).value()),
        compiler_({.tokenizer = tokenizer_.get(),
                   .tool_parser = "hermes",
                   .reasoning_parser = "qwen3",
                   .cache_bytes_max = size_t{16} << 20}) {}

  std::shared_ptr<const Constraint> compiled(const ConstraintSource& source,
                                             ThinkingStart thinking = ThinkingStart::kNone) {
    std::shared_ptr<const Constraint> out;
    const auto error = compiler_.compile(source, thinking, out);
    if (error) ADD_FAILURE() << error->message;
    return out;
  }
  std::string refusal(const ConstraintSource& source) {
    std::shared_ptr<const Constraint> out;
    const auto error = compiler_.compile(source, ThinkingStart::kNone, out);
    return error ? std::to_string(error->status) + ' ' + error->param.value_or("") + ' ' + error->message : "";
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  ConstraintCompiler compiler_;
};

TEST_F(ConstraintsTest, TheSameConstraintIsCompiledOnce) {
  const ConstraintSource source{.kind = Kind::kRegex, .value = "a+"};
  EXPECT_EQ(compiled(source)->masks, compiled(source)->masks);
  EXPECT_EQ(compiled({}), nullptr);
}

TEST_F(ConstraintsTest, WhatCannotBeEnforcedIsA400ThatNamesTheField) {
  EXPECT_TRUE(refusal({.kind = Kind::kRegex, .value = "(?=a)b", .field = "guided_regex"})
                  .starts_with("400 guided_regex the regular expression uses look-around"));
  EXPECT_EQ(refusal({.kind = Kind::kJsonSchema, .value = Json(false), .field = "response_format"}),
            "400 response_format no text satisfies the constraint of response_format");
}

TEST_F(ConstraintsTest, MarkersAreTokensOnlyInForcedCalls) {
  const int32_t marker = tokenizer_->find_piece("<tool_call>");
  ASSERT_GE(marker, 0);
  ConstraintSource source{.kind = Kind::kChoice, .value = Json::Array{Json("<tool_call>")}};
  EXPECT_FALSE(Matcher(compiled(source)->masks).accept_token(marker));
  source.markers = true;
  EXPECT_TRUE(Matcher(compiled(source)->masks).accept_token(marker));
}

TEST_F(ConstraintsTest, ThinkingKeepsItsMarks) {
  const ConstraintSource source{.kind = Kind::kJsonObject};
  EXPECT_EQ(compiled(source)->marks, nullptr);
  const auto thinking = compiled(source, ThinkingStart::kMayOpen);
  EXPECT_EQ(thinking->thinking, ThinkingStart::kMayOpen);
  EXPECT_EQ(thinking->marks->close_id, tokenizer_->find_piece("</think>"));
  EXPECT_EQ(thinking->marks->answer_id, tokenizer_->find_piece("<tool_call>"));
}

}  // namespace
}  // namespace seraph
