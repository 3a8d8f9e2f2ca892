#include "daemon/api/errors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace seraph {
namespace {

TEST(ErrorsTest, ShapeIsOpenais) {
  EXPECT_EQ(error_json(bad_request("no \"x\"", "x")),
            R"({"error":{"message":"no \"x\"","type":"BadRequestError","param":"x","code":400}})");
  EXPECT_EQ(error_json(bad_request("no")),
            R"({"error":{"message":"no","type":"BadRequestError","param":null,"code":400}})");
}

TEST(ErrorsTest, CodesBecomeStatuses) {
  EXPECT_EQ(from_error({ErrorCode::kResourceExhausted, "full"}).status, 429);
  EXPECT_GT(from_error({ErrorCode::kResourceExhausted, "full"}).retry_after_s, 0);
  EXPECT_EQ(from_error({ErrorCode::kUnavailable, "x"}).status, 503);
  EXPECT_EQ(from_error({ErrorCode::kInternal, "x"}).status, 500);
  EXPECT_EQ(from_error({ErrorCode::kUnsupported, "x", "do y", "field"}).param, "field");
}

TEST(ErrorsTest, FloatsPrintAsPythonDoes) {
  EXPECT_EQ(python_float(2.1), "2.1");
  EXPECT_EQ(python_float(100), "100.0");
  EXPECT_EQ(python_float(1e308), "1e+308");
  EXPECT_EQ(python_float(0.00001), "1e-05");
  EXPECT_EQ(python_float(-0.0), "-0.0");
  EXPECT_EQ(python_float(std::nan("")), "nan");
  EXPECT_EQ(python_float(-HUGE_VAL), "-inf");
}

TEST(ErrorsTest, ValuesAreDescribed) {
  const Json value = Json::parse(R"([null,true,5,1.5,"a",[1],{"b":1}])").value();
  const char* const want[] = {"None", "True", "5", "1.5", "a", "<list of 1 items>", "<dict of 1 items>"};
  for (size_t i = 0; i < value.as_array().size(); ++i) EXPECT_EQ(describe(value.as_array()[i]), want[i]);
  EXPECT_EQ(describe(Json::big_integer("1000000000000000000000000000000")), "1000000000000000000000000000000");
  EXPECT_LE(describe(Json(std::string(10'000, 'x'))).size(), 200U);
}

TEST(ErrorsTest, StringsAreQuotedAsPythonDoes) {
  EXPECT_EQ(python_string("a"), "'a'");
  EXPECT_EQ(python_string("it's"), "\"it's\"");
  EXPECT_EQ(python_string("it's \"x\""), "'it\\'s \"x\"'");
}

TEST(ErrorsTest, AnAllocationThatFailsIsThatRequestsError) {
  const auto error = guarded([]() -> std::optional<ApiError> { throw std::bad_alloc(); });
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->status, 500);
  EXPECT_NE(error->message.find("out of memory"), std::string::npos);
  EXPECT_FALSE(guarded([]() -> std::optional<ApiError> { return {}; }).has_value());
  EXPECT_EQ(guarded([]() -> std::optional<ApiError> { return bad_request("no"); })->message, "no");
}

TEST(ErrorsTest, WhatAWorkerThrowsFailsOneRequest) {
  const auto error = guarded([]() -> std::optional<ApiError> { throw std::runtime_error("a defect"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, 500);
  EXPECT_EQ(error->message.find("a defect"), std::string::npos) << "that is for the log";
  const auto memory = guarded([]() -> std::optional<ApiError> { throw std::bad_alloc(); });
  ASSERT_TRUE(memory);
  EXPECT_NE(memory->message.find("out of memory"), std::string::npos);
}

}  // namespace
}  // namespace seraph
