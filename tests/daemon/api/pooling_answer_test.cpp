#include <gtest/gtest.h>

#include <limits>

#include "daemon/api/pooling.h"

namespace seraph {
namespace {

using Format = VectorEncoding::Format;

class PoolingAnswerTest : public testing::Test {
 protected:
  std::string answer(std::vector<std::vector<float>> vectors) {
    const PoolingFacts facts{.id = "x", .model = "m", .created = 1};
    EXPECT_FALSE(answer_pooling(request_, info_, facts, std::move(vectors), got_));
    return got_.body;
  }

  PoolingInfo info_{.task = PoolingInfo::Task::kEmbed, .activation = PoolingInfo::Activation::kNormalize, .width = 2};
  PreparedPooling request_{.prompt_tokens = 1};
  PoolingAnswer got_;
};

TEST_F(PoolingAnswerTest, NumbersAreWrittenAsAsked) {
  EXPECT_EQ(answer({{3, 4}}),
            R"({"id":"x","object":"list","created":1,"model":"m","data":[{"index":0,"object":"embedding",)"
            R"("embedding":[0.6,0.8]}],"usage":{"prompt_tokens":1,"total_tokens":1,"completion_tokens":0,)"
            R"("prompt_tokens_details":null,"completion_tokens_details":null}})");
  request_.use_activation = false;
  request_.encoding = {.format = Format::kBase64};
  EXPECT_NE(answer({{1, -2}}).find("\"embedding\":\"AACAPwAAAMA=\""), std::string::npos);
  request_.encoding = {.format = Format::kBytes, .type = VectorEncoding::Type::kFloat16, .big_endian = true};
  // 1, the smallest subnormal, an overflow, and a tie that goes to the even neighbour.
  EXPECT_EQ(answer({{1, 0x1p-24F, 7e4F, 1.0F + 0x1p-11F}}), std::string("\x3C\x00\x00\x01\x7C\x00\x3C\x00", 8));
  EXPECT_EQ(got_.content_type, "application/octet-stream");
  ASSERT_EQ(got_.headers.size(), 1U);
  EXPECT_NE(got_.headers[0].value.find("\"embed_dtype\": \"float16\""), std::string::npos);
  request_.encoding = {.format = Format::kBytesOnly, .type = VectorEncoding::Type::kBfloat16};
  EXPECT_EQ(answer({{1, -3}}), "\x80\x3F\x40\xC0");
}

TEST_F(PoolingAnswerTest, WhatIsNoNumberIsAnError) {
  const auto error = answer_pooling(request_, info_, {}, {{std::numeric_limits<float>::quiet_NaN(), 1}}, got_);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, 500);
}

}  // namespace
}  // namespace seraph
