#include "daemon/http/cors.h"

#include <gtest/gtest.h>

namespace seraph {
namespace {

HttpRequest preflight(std::string origin, std::string method, std::string headers = "") {
  HttpRequest request;
  request.method = "OPTIONS";
  request.headers = {{"origin", std::move(origin)}, {"access-control-request-method", std::move(method)}};
  if (!headers.empty()) request.headers.push_back({"access-control-request-headers", std::move(headers)});
  return request;
}

std::string header(const PreflightAnswer& answer, std::string_view name) {
  for (const HttpHeader& item : answer.headers) {
    if (item.name == name) return item.value;
  }
  return "none";
}

TEST(Cors, WithoutOriginsEveryPreflightIsRefused) {
  const CorsPolicy cors{HttpOptions{}};
  const PreflightAnswer answer = cors.preflight(preflight("http://a.example", "POST", "authorization,content-type"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "Disallowed CORS origin");
  EXPECT_EQ(header(answer, "access-control-allow-origin"), "none");
  EXPECT_EQ(header(answer, "access-control-allow-methods"), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY");
  EXPECT_EQ(header(answer, "access-control-allow-headers"), "authorization,content-type");
  EXPECT_EQ(header(answer, "access-control-max-age"), "600");
  EXPECT_EQ(cors.answer_headers("http://a.example", false), "vary: Origin\r\n");
}

TEST(Cors, AnyOriginGetsAStarUnlessCredentialsAreAllowed) {
  HttpOptions options;
  options.allowed_origins = {"*"};
  const PreflightAnswer answer = CorsPolicy(options).preflight(preflight("http://a.example", "POST"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "OK");
  EXPECT_EQ(header(answer, "access-control-allow-origin"), "*");
  EXPECT_EQ(CorsPolicy(options).answer_headers("http://a.example", false),
            "access-control-allow-origin: *\r\nvary: Origin\r\n");
  EXPECT_EQ(CorsPolicy(options).answer_headers("", false), "vary: Origin\r\n");
  options.allow_credentials = true;
  const PreflightAnswer named = CorsPolicy(options).preflight(preflight("http://a.example", "POST"));
  EXPECT_EQ(header(named, "access-control-allow-origin"), "http://a.example");
  EXPECT_EQ(header(named, "access-control-allow-credentials"), "true");
}

TEST(Cors, ListedOriginsMethodsAndHeaders) {
  HttpOptions options;
  options.allowed_origins = {"https://chat.example"};
  options.allowed_methods = {"GET", "POST"};
  options.allowed_headers = {"Authorization"};
  const CorsPolicy cors(options);
  EXPECT_EQ(cors.preflight(preflight("https://chat.example", "POST", "authorization, content-type")).status, 200);
  EXPECT_EQ(cors.preflight(preflight("https://chat.example", "PUT")).body, "Disallowed CORS method");
  EXPECT_EQ(cors.preflight(preflight("https://chat.example", "GET", "x-own")).body, "Disallowed CORS headers");
  EXPECT_EQ(cors.preflight(preflight("https://evil.example", "PUT", "x-own")).body,
            "Disallowed CORS origin, method, headers");
  EXPECT_EQ(cors.answer_headers("https://evil.example", false), "vary: Origin\r\n");
  EXPECT_EQ(cors.answer_headers("https://chat.example", true),
            "access-control-allow-origin: https://chat.example\r\nvary: Origin\r\n");
}

TEST(Cors, OptionsWithoutTheHeadersIsNoPreflight) {
  HttpRequest request;
  request.method = "OPTIONS";
  EXPECT_FALSE(CorsPolicy::is_preflight(request));
  request.headers = {{"origin", "http://a.example"}};
  EXPECT_FALSE(CorsPolicy::is_preflight(request));
  EXPECT_TRUE(CorsPolicy::is_preflight(preflight("http://a.example", "GET")));
}

}  // namespace
}  // namespace seraph
