#include "daemon/api/refusal_log.h"

#include <gtest/gtest.h>

#include "tests/daemon/api/fake_store.h"

namespace seraph {
namespace {

TEST(RefusalLogTest, ARefusedRequestHasItsStatusAndNoTokens) {
  FakeStore store;
  RefusalLog log("tiny", &store);
  HttpRequest request;
  request.path = "/v1/completions";
  request.headers = {{"x-request-id", std::string(300, 'r')}};
  request.arrived_us = now_us() - 5000;
  log.record(request, 404, "error");
  ASSERT_EQ(store.requests.size(), 1U);
  const RequestRow& row = store.requests.front();
  EXPECT_EQ(row.endpoint, "/v1/completions");
  EXPECT_EQ(row.status, 404);
  EXPECT_EQ(row.finish_reason, "error");
  EXPECT_EQ(row.model, "tiny");
  EXPECT_EQ(row.request_id.size(), 256U);
  EXPECT_EQ(row.prompt_tokens + row.completion_tokens, 0);
  EXPECT_EQ(row.ttft_us, -1);
  EXPECT_GE(row.total_us, 5000);
}

TEST(RefusalLogTest, OnlyPathsOfInferenceAreRecorded) {
  FakeStore store;
  RefusalLog log("tiny", &store);
  log.add_path("/v1/completions");
  log.record("/v1/models", 401);
  log.record("/v1/completions", 401);
  ASSERT_EQ(store.requests.size(), 1U);
  EXPECT_EQ(store.requests.front().status, 401);
  RefusalLog without("tiny", nullptr);
  without.add_path("/v1/completions");
  without.record("/v1/completions", 401);
}

}  // namespace
}  // namespace seraph
