#include <gtest/gtest.h>

#include "daemon/api/openapi.h"

namespace seraph {
namespace {

TEST(OpenApiPage, ThePageNamesEveryOperationAndNothingOutside) {
  const std::string page = openapi_page(openapi_document(
      {{"POST", "/v1/chat/completions", Access::kKey}, {"GET", "/v1/models/*", Access::kKey}}, "1.2.3"));
  for (const char* text : {"post /v1/chat/completions", "get /v1/models/{id}", "temperature", "seraph 1.2.3"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
  for (const char* text : {"<script", "http://", "https://"}) EXPECT_EQ(page.find(text), std::string::npos) << text;
}

TEST(OpenApiPage, TheRoutesDescribeThemselves) {
  Router router;
  router.add("POST", "/detokenize", Access::kKey, [](const std::shared_ptr<Exchange>&) {});
  add_openapi_routes(router, "1");
  for (const char* path : {"/openapi.json", "/docs", "/redoc"}) {
    EXPECT_NE(router.find("GET", path).handler, nullptr) << path;
    EXPECT_EQ(router.find("GET", path).access, Access::kOpen) << path;
  }
}

}  // namespace
}  // namespace seraph
