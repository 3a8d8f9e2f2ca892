#include "engine/sample/constraint_state.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/grammar/compiler.h"

namespace seraph {
namespace {

// Ids: 0 end, 1 another end, then what the texts are made of. The last one stands for a thinking tag of one token.
constexpr TokenId kEos = 0, kOtherEnd = 1, kA = 2, kB = 3, kAb = 4, kLess = 5, kTag = 6, kClose = 7, kOpenTag = 8;
constexpr int32_t kVocab = 9;
const std::vector<TokenId> kEnds = {kEos};

std::shared_ptr<const TokenTable> table() {
  return TokenTable::from_bytes({"", "", "a", "b", "ab", "<", "t>", "</t>", ""});
}

std::shared_ptr<const Constraint> constraint(std::string_view pattern, ThinkingStart thinking = ThinkingStart::kNone) {
  auto out = std::make_shared<Constraint>();
  out->masks = std::make_shared<TokenMasks>(compile_regex(pattern).value(), table());
  if (thinking == ThinkingStart::kNone) return out;
  out->thinking = thinking;
  ThinkingMarks marks{.open = "<t>", .close = "</t>", .open_id = kOpenTag};
  marks.open_ids = {{kLess, kOpenTag}, {kTag}, {}};
  out->marks = std::make_shared<const ThinkingMarks>(std::move(marks));
  return out;
}

class Following {
 public:
  explicit Following(std::shared_ptr<const Constraint> bound) {
    request_.id = 1;
    request_.prompt_ids = {kB, kB};
    request_.constraint = std::move(bound);
    tokens_ = request_.prompt_ids.copy();
  }
  /// What may come after these tokens, in ascending order; {-1} for anything.
  std::vector<TokenId> after(const std::vector<TokenId>& generated) {
    tokens_.insert(tokens_.end(), generated.begin(), generated.end());
    state_.follow(request_, tokens_, kEnds, kVocab);
    return allowed();
  }
  std::vector<TokenId> allowed() {
    const uint32_t* words = state_.allowed(must_end);
    if (words == nullptr) return {-1};
    std::vector<TokenId> out;
    for (TokenId id = 0; id < kVocab; ++id) {
      if ((words[id / 32] >> (id % 32) & 1) != 0) out.push_back(id);
    }
    return out;
  }
  Request& request() { return request_; }
  ConstraintState& state() { return state_; }
  std::vector<TokenId>& tokens() { return tokens_; }
  bool must_end = false;

 private:
  Request request_;
  ConstraintState state_;
  std::vector<TokenId> tokens_;
};

using Ids = std::vector<TokenId>;

TEST(ConstraintState, ThePromptIsFreeAndTheEndComesWhenTheTextIsComplete) {
  Following text(constraint("a(b|bb)"));
  EXPECT_EQ(text.after({}), (Ids{kA, kAb}));
  EXPECT_EQ(text.after({kA}), (Ids{kB}));
  EXPECT_FALSE(text.must_end);
  EXPECT_EQ(text.after({kB}), (Ids{kEos, kB}));
  EXPECT_FALSE(text.must_end);
  EXPECT_EQ(text.after({kB}), (Ids{kEos}));
  EXPECT_TRUE(text.must_end);
  EXPECT_EQ(text.after({kEos}), (Ids{-1}));  // a request that ignores eos goes on freely
}

TEST(ConstraintState, StopIdsEndACompleteTextToo) {
  Following text(constraint("ab?"));
  text.request().sampling.stop_token_ids = {kOtherEnd, 700};
  EXPECT_EQ(text.after({kA}), (Ids{kEos, kOtherEnd, kB}));
}

TEST(ConstraintState, ATokenThatNoMaskAllowedLeavesNothing) {
  Following text(constraint("ab"));
  EXPECT_EQ(text.after({kB}), Ids{});
}

TEST(ConstraintState, AnotherRequestInTheSlotStartsAnewAndAComeBackIsRight) {
  Following text(constraint("ab"));
  EXPECT_EQ(text.after({kA}), (Ids{kB}));
  Request other;
  other.id = 2;
  other.prompt_ids = {kA};
  other.constraint = constraint("ba");
  text.state().follow(other, other.prompt_ids, kEnds, kVocab);
  EXPECT_EQ(text.allowed(), (Ids{kB}));
  text.state().follow(text.request(), text.tokens(), kEnds, kVocab);
  EXPECT_EQ(text.after({kB}), (Ids{kEos}));
}

TEST(ConstraintState, NothingBindsAnOpenedThinking) {
  Following text(constraint("ab", ThinkingStart::kOpened));
  EXPECT_EQ(text.after({kB, kLess, kTag}), (Ids{-1}));
  EXPECT_EQ(text.after({kClose}), (Ids{kA, kAb}));
  EXPECT_EQ(text.after({kAb}), (Ids{kEos}));
}

TEST(ConstraintState, AClosingTagOfSeveralTokensEndsTheThinking) {
  auto bound = std::make_shared<Constraint>(*constraint("b", ThinkingStart::kOpened));
  ThinkingMarks marks{.open = "<t>", .close = "bab"};
  marks.open_ids.resize(3);
  bound->marks = std::make_shared<const ThinkingMarks>(std::move(marks));
  Following text(bound);
  EXPECT_EQ(text.after({kB, kB}), (Ids{-1}));
  EXPECT_EQ(text.after({kAb}), (Ids{kB}));
}

TEST(ConstraintState, AModelMayThinkFirstOrAnswerAtOnce) {
  for (const Ids& open : {Ids{kOpenTag}, Ids{kLess, kTag}}) {
    Following text(constraint("ab", ThinkingStart::kMayOpen));
    EXPECT_EQ(text.after({}), (Ids{kA, kAb, kLess, kOpenTag}));
    EXPECT_EQ(text.after(open), (Ids{-1}));
    EXPECT_EQ(text.after({kClose}), (Ids{kA, kAb}));
  }
  Following at_once(constraint("ab", ThinkingStart::kMayOpen));
  EXPECT_EQ(at_once.after({kA}), (Ids{kB}));
}

TEST(ConstraintState, ATextMayBeginLikeTheOpeningTag) {
  Following text(constraint("<a|<t>", ThinkingStart::kMayOpen));
  EXPECT_EQ(text.after({kLess}), (Ids{kA, kTag}));
  EXPECT_EQ(text.after({kA}), (Ids{kEos}));
}

TEST(ConstraintState, ATokenThatReadersTakeForTheAnswerIsNotThought) {
  auto bound = std::make_shared<Constraint>(*constraint("ab", ThinkingStart::kOpened));
  ThinkingMarks marks = *bound->marks;
  marks.answer_id = kLess;
  bound->marks = std::make_shared<const ThinkingMarks>(marks);
  Following refused(bound);
  EXPECT_EQ(refused.after({kB}), (Ids{kEos, kOtherEnd, kA, kB, kAb, kTag, kClose, kOpenTag}));

  auto fitting = std::make_shared<Constraint>(*constraint("<a", ThinkingStart::kOpened));
  fitting->marks = bound->marks;
  Following taken(fitting);
  EXPECT_EQ(taken.after({kB}), (Ids{-1}));
  EXPECT_EQ(taken.after({kLess}), (Ids{kA}));
}

}  // namespace
}  // namespace seraph
