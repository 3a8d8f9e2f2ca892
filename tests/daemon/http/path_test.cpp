#include "daemon/http/path.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

std::string path_of(std::string_view target, std::string_view root = "") {
  const Result<HttpTarget> result = parse_target(target, root);
  return result.ok() ? result->path : "error";
}

TEST(Path, IsNormalisedOnce) {
  EXPECT_EQ(path_of("/v1/models"), "/v1/models");
  EXPECT_EQ(path_of("//v1///models"), "/v1/models");
  EXPECT_EQ(path_of("/v1/models/"), "/v1/models");
  EXPECT_EQ(path_of("/v1/models//"), "/v1/models");
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("///"), "/");
  EXPECT_EQ(path_of("/v1/%6dodels"), "/v1/models");
  EXPECT_EQ(path_of("/a%2561"), "/a%61");  // decoded once, not twice
  EXPECT_EQ(path_of("/a%C3%A9"), "/a\xC3\xA9");
  EXPECT_EQ(path_of("*"), "*");
}

TEST(Path, KeepsTheQueryAsItCame) {
  const Result<HttpTarget> result = parse_target("/sleep?level=1&x=%2f?", "");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->path, "/sleep");
  EXPECT_EQ(result->query, "level=1&x=%2f?");
}

TEST(Path, AbsoluteFormLosesItsAuthority) {
  EXPECT_EQ(path_of("http://example.com/v1/models?x"), "/v1/models");
  EXPECT_EQ(path_of("http://example.com"), "/");
  EXPECT_EQ(path_of("http://example.com?x=/y"), "/");
}

TEST(Path, RefusesWhatReadersUnderstandDifferently) {
  for (const char* target :
       {"/a/../b", "/..",    "/.",        "/a/.",          "/a/%2e%2e/b", "/%2E", "/a%2fb", "/a%2Fb", "/a\\b",
        "/a%5cb",  "/a%00b", "/a%0d%0ab", "/a%7f",         "/a%",         "/a%4", "/a%zz",  "/a#b",   "a/b",
        "..",      "http:/", "",          "/health/..;/v1"}) {
    const std::string path = path_of(target);
    if (std::string_view(target).empty()) {
      EXPECT_EQ(path, "/");
    } else if (std::string_view(target) == "/health/..;/v1") {
      EXPECT_EQ(path, "/health/..;/v1");  // no parameters here: an ordinary, unknown path
    } else {
      EXPECT_EQ(path, "error") << target;
    }
  }
}

TEST(Path, StripsTheRootPathWhenItIsThere) {
  EXPECT_EQ(path_of("/api/v1/models", "/api"), "/v1/models");
  EXPECT_EQ(path_of("/api/v1/models", "/api/"), "/v1/models");
  EXPECT_EQ(path_of("/api", "/api"), "/");
  EXPECT_EQ(path_of("/api/", "/api"), "/");
  EXPECT_EQ(path_of("/apiary", "/api"), "/apiary");
  EXPECT_EQ(path_of("/v1/models", "/api"), "/v1/models");
  EXPECT_EQ(path_of("//api//v1", "/api"), "/v1");
}

}  // namespace
}  // namespace seraph
