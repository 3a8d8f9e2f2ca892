// Answers that the front end gives without a handler (401, 404, 405, preflights), against those recorded from a
// real vLLM: status, body and the headers that clients look at. Routes come from the recording, too.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "daemon/http/connection.h"
#include "engine/base/json.h"
#include "tests/daemon/http/memory_transport.h"

namespace seraph {
namespace {

std::string golden_folder() {
  const char* folder = std::getenv("SERAPH_GOLDEN_DIR");
  return folder ? folder : std::string(SERAPH_SOURCE_DIR) + "/../shared/golden";
}

bool guarded_by_vllm(const std::string& path) {
  return path.rfind("/v1", 0) == 0 || path.rfind("/v2", 0) == 0 || path.rfind("/inference", 0) == 0;
}

Router routes_of(const Json& recording, const std::string& server) {
  Router router;
  for (const Json& row : recording.find("rows")->as_array()) {
    bool here = false;
    for (const Json& name : row.find("servers")->as_array()) here = here || name.as_string() == server;
    if (!here) continue;
    std::string path = row.find("path")->as_string();
    const size_t parameter = path.find('{');
    if (parameter != std::string::npos) {
      if (path.back() != '}') continue;  // a parameter in the middle: the routes here know prefixes only
      path = path.substr(0, parameter) + "*";
    }
    router.add(row.find("method")->as_string(), path, guarded_by_vllm(path) ? Access::kKey : Access::kOpen,
               [](const std::shared_ptr<Exchange>& exchange) { exchange->respond(299, "", "handler"); });
  }
  return router;
}

struct Answer {
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;
};

Answer ask(const HttpOptions& options, const Router& router, const Json& request) {
  HttpShared shared(options, router);
  MemoryTransport transport;
  Connection connection(shared, transport, "test", true, 1);
  std::string bytes = request.find("method")->as_string() + " " + request.find("path")->as_string() +
                      " HTTP/1.1\r\nhost: 127.0.0.1\r\n";
  if (const Json* headers = request.find("headers"); headers && headers->is_object()) {
    for (const auto& [name, value] : headers->as_object()) bytes += name + ": " + value.as_string() + "\r\n";
  }
  connection.on_bytes(bytes + "\r\n", 1);
  connection.flush(1);
  Answer answer;
  const std::string& text = transport.written;
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return answer;
  answer.status = std::atoi(text.c_str() + 9);
  answer.body = text.substr(end + 4);
  for (size_t at = text.find("\r\n") + 2; at < end + 2;) {
    const size_t line = text.find("\r\n", at), colon = text.find(": ", at);
    answer.headers[text.substr(at, colon - at)] = text.substr(colon + 2, line - colon - 2);
    at = line + 2;
  }
  connection.abort();
  return answer;
}

/// Is this an answer of the front end alone?
bool of_the_front_end(const Json& record) {
  const Json& response = *record.find("response");
  const int64_t status = response.find("status")->as_int();
  const Json* body = response.find("body");
  const Json* detail = body ? body->find("detail") : nullptr;
  const bool detailed = detail && detail->is_string() &&
                        (detail->as_string() == "Not Found" || detail->as_string() == "Method Not Allowed");
  const std::string& method = record.find("request")->find("method")->as_string();
  return status == 401 || status == 405 || (status == 404 && detailed) || method == "OPTIONS" || method == "HEAD";
}

TEST(FrontEndGolden, AnswersAsRecorded) {
  const Result<Json> routes = Json::parse_file(golden_folder() + "/api/routes.json");
  std::ifstream exchanges(golden_folder() + "/api/exchanges.jsonl");
  if (!routes.ok() || !exchanges) GTEST_SKIP() << "no recordings in " << golden_folder();
  int num_cases = 0;
  for (std::string line; std::getline(exchanges, line);) {
    const Result<Json> parsed = Json::parse(line);
    ASSERT_TRUE(parsed.ok()) << line;
    const Json& record = *parsed;
    if (!of_the_front_end(record)) continue;
    const std::string& name = record.find("name")->as_string();
    const std::string& server = record.find("server")->as_string();
    const std::string& path = record.find("request")->find("path")->as_string();
    if (path.rfind("//", 0) == 0) continue;  // a double slash is one slash here
    // Here a page lives at "/", and unknown paths need the key: both are deliberate.
    if (server == "keys" && !guarded_by_vllm(path) && record.find("response")->find("status")->as_int() == 404)
      continue;
    HttpOptions options;
    if (server == "keys") options.api_keys = {"secret-1", "secret-2"};
    if (server == "tools") options.allowed_origins = {"*"};
    const Answer answer = ask(options, routes_of(*routes, server), *record.find("request"));
    const Json& want = *record.find("response");
    ++num_cases;
    EXPECT_EQ(answer.status, want.find("status")->as_int()) << name;
    const Json* body = want.find("body");
    const Json* text = want.find("body_text");
    const std::string want_body = body ? body->dump() : text ? text->as_string() : "";
    EXPECT_EQ(answer.body, want_body) << name;
    for (const auto& [header, value] : want.find("headers")->as_object()) {
      if (header == "server" || header == "x-request-id") continue;
      const auto found = answer.headers.find(header);
      EXPECT_EQ(found == answer.headers.end() ? "none" : found->second, value.as_string()) << name << " " << header;
    }
  }
  std::printf("%d recorded answers compared\n", num_cases);
  EXPECT_GT(num_cases, 50);
}

}  // namespace
}  // namespace seraph
