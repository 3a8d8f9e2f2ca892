#include <gtest/gtest.h>

#include "daemon/http/server.h"

namespace seraph {
namespace {

Router make_router() {
  Router router;
  const HttpHandler handler = [](const std::shared_ptr<Exchange>&) {};
  router.add("GET", "/health", Access::kOpen, handler);
  router.add("GET", "/ping", Access::kOpen, handler);
  router.add("POST", "/ping", Access::kOpen, handler);
  router.add("GET", "/v1/things/*", Access::kKey, handler);
  router.add("GET", "/v1/things/special", Access::kKey, handler);
  router.add("GET", "/mixed", Access::kOpen, handler);
  router.add("POST", "/mixed", Access::kKey, handler);
  router.add("GET", "/*", Access::kKey, handler);
  return router;
}

TEST(Router, FindsExactPathsAndMethods) {
  const Router router = make_router();
  EXPECT_NE(router.find("GET", "/health").handler, nullptr);
  EXPECT_EQ(router.find("GET", "/health").access, Access::kOpen);
  EXPECT_EQ(router.find("POST", "/health").handler, nullptr);
  EXPECT_EQ(router.find("POST", "/health").allowed_methods, "GET");
  EXPECT_EQ(router.find("POST", "/health").access, Access::kOpen);
  EXPECT_EQ(router.find("PUT", "/ping").allowed_methods, "GET, POST");
  EXPECT_EQ(router.find("HEAD", "/health").handler, nullptr);
}

TEST(Router, LongerAndExactRoutesWin) {
  const Router router = make_router();
  EXPECT_EQ(router.find("GET", "/v1/things/a/b").path_tail, "a/b");
  EXPECT_EQ(router.find("GET", "/v1/things/special").path_tail, "");
  EXPECT_EQ(router.find("GET", "/style.css").path_tail, "style.css");
}

TEST(Router, UnknownPathsNeedAKey) {
  Router router;
  router.add("GET", "/health", Access::kOpen, [](const std::shared_ptr<Exchange>&) {});
  const Router::Match match = router.find("GET", "/nothing");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_EQ(match.allowed_methods, "");
  EXPECT_EQ(match.access, Access::kKey);
}

TEST(Router, AGuardedMethodGuardsThePath) {
  const Router router = make_router();
  EXPECT_EQ(router.find("GET", "/mixed").access, Access::kOpen);
  EXPECT_EQ(router.find("POST", "/mixed").access, Access::kKey);
  EXPECT_EQ(router.find("DELETE", "/mixed").access, Access::kKey);
}

TEST(Router, ListsItsRoutesAsTheyWereAdded) {
  Router router;
  router.add("GET", "/a/*", Access::kOpen, [](const std::shared_ptr<Exchange>&) {});
  router.add("POST", "/b", Access::kKey, [](const std::shared_ptr<Exchange>&) {});
  const auto routes = router.routes();
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].path, "/a/*");
  EXPECT_EQ(routes[0].access, Access::kOpen);
  EXPECT_EQ(routes[1].method, "POST");
}

}  // namespace
}  // namespace seraph
