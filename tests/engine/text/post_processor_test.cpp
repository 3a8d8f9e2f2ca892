#include "engine/text/post_processor.h"

#include <gtest/gtest.h>

namespace seraph::text {
namespace {

TEST(PostProcessor, TemplatesAddIdsOnBothSides) {
  const auto spec = Json::parse(R"({"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing",)"
                                R"("single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}},)"
                                R"({"SpecialToken":{"id":"</s>"}}],)"
                                R"("special_tokens":{"<s>":{"ids":[1,7]},"</s>":{"ids":[2]}}}]})");
  ASSERT_TRUE(spec.ok());
  const auto processor = PostProcessor::parse(*spec);
  ASSERT_TRUE(processor.ok()) << processor.error().text();
  EXPECT_EQ(processor->before, (std::vector<int32_t>{1, 7}));
  EXPECT_EQ(processor->after, std::vector<int32_t>{2});
}

TEST(PostProcessor, RobertaHasClsAndSep) {
  const auto processor =
      PostProcessor::parse(*Json::parse(R"({"type":"RobertaProcessing","cls":["a",3],"sep":["b",4]})"));
  ASSERT_TRUE(processor.ok());
  EXPECT_EQ(processor->before, std::vector<int32_t>{3});
  EXPECT_EQ(processor->after, std::vector<int32_t>{4});
  EXPECT_FALSE(PostProcessor::parse(*Json::parse(R"({"type":"BertProcessing","cls":3})")).ok());
}

}  // namespace
}  // namespace seraph::text
