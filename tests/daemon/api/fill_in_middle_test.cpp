#include "daemon/api/fill_in_middle.h"

#include <gtest/gtest.h>

#include <map>

namespace seraph {
namespace {

/// A vocabulary of a few pieces.
class FewPieces final : public Tokenizer {
 public:
  explicit FewPieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  int32_t find_piece(std::string_view piece) const override {
    const auto found = std::find(pieces_.begin(), pieces_.end(), piece);
    return found == pieces_.end() ? -1 : static_cast<int32_t>(found - pieces_.begin());
  }
  std::vector<int32_t> encode(std::string_view, bool, bool) const override { return {}; }
  std::string decode(std::span<const int32_t>, bool) const override { return {}; }
  std::unique_ptr<DecodeStream> start_decoding(bool) const override { return nullptr; }
  int32_t vocab_size() const override { return static_cast<int32_t>(pieces_.size()); }
  std::string_view piece(int32_t id) const override { return pieces_[static_cast<size_t>(id)]; }
  bool is_special(int32_t) const override { return false; }
  const Json& special_tokens() const override { return none_; }
  std::string chat_template(bool) const override { return {}; }

 private:
  const std::vector<std::string> pieces_;
  const Json none_;
};

std::string prompt_of(std::vector<std::string> pieces) {
  const auto form = find_middle_form(FewPieces(std::move(pieces)));
  return form ? middle_prompt(*form, "A", "B") : "none";
}

TEST(FillInMiddle, EachFamilyHasItsForm) {
  EXPECT_EQ(prompt_of({"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}),
            "<|fim_prefix|>A<|fim_suffix|>B<|fim_middle|>");
  EXPECT_EQ(prompt_of({"<fim_prefix>", "<fim_suffix>", "<fim_middle>"}), "<fim_prefix>A<fim_suffix>B<fim_middle>");
  EXPECT_EQ(prompt_of({"\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"}), " <PRE> A <SUF>B <MID>");
  EXPECT_EQ(prompt_of({"[PREFIX]", "[SUFFIX]"}), "[SUFFIX]B[PREFIX]A");
  EXPECT_EQ(prompt_of({"<|fim_prefix|>", "<|fim_suffix|>"}), "none");
}

}  // namespace
}  // namespace seraph
