#include "engine/text/normalizer.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

std::string run(const std::string& spec, std::string text, bool* at_start = nullptr) {
  auto json = Json::parse(spec);
  auto normalizer = parse_normalizer(*json);
  if (!normalizer.ok()) return "error: " + normalizer.error().message;
  bool start = true;
  (*normalizer)->apply(text, start);
  if (at_start != nullptr) *at_start = start;
  return text;
}

TEST(Normalizer, ComposesAndDecomposes) {
  EXPECT_EQ(run(R"({"type":"NFC"})", "e\xCC\x81 x"), "\xC3\xA9 x");
  EXPECT_EQ(run(R"({"type":"NFD"})", "\xC3\xA9"), "e\xCC\x81");
  EXPECT_EQ(run(R"({"type":"NFKC"})", "\xEF\xAC\x81"), "fi");
  EXPECT_EQ(run(R"({"type":"NFC"})", "a\xCC\x81\xCC\xA3"), "\xE1\xBA\xA1\xCC\x81") << "marks are put in order";
}

TEST(Normalizer, StripSaysWhenTheBeginningIsGone) {
  bool at_start = true;
  EXPECT_EQ(run(R"({"type":"Strip"})", " a\xE3\x80\x80", &at_start), "a");
  EXPECT_FALSE(at_start);
  EXPECT_EQ(run(R"({"type":"Strip","strip_left":false})", " a ", &at_start), " a");
  EXPECT_TRUE(at_start);
}

TEST(Normalizer, SequencesReplaceAndPrepend) {
  const std::string spec = R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"_"},)"
                           R"({"type":"Replace","pattern":{"Regex":"[0-9]+"},"content":"#"},{"type":"Lowercase"}]})";
  EXPECT_EQ(run(spec, "A12b3"), "_a#b#");
  EXPECT_EQ(run(spec, ""), "");
}

TEST(Normalizer, UnknownTypesAreNamedWithTheirKey) {
  EXPECT_NE(run(R"({"type":"Sequence","normalizers":[{"type":"X"}]})", "").find("normalizer.normalizers[0]"),
            std::string::npos);
}

}  // namespace
}  // namespace seraph::text
