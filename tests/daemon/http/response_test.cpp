#include "daemon/http/response.h"

#include <gtest/gtest.h>

#include "daemon/http/limits.h"

namespace seraph {
namespace {

TEST(Response, HeadOfAWholeAnswer) {
  std::string out;
  const std::vector<HttpHeader> extra = {{"allow", "GET"}};
  ResponseHead head;
  head.status = 405;
  head.content_type = "application/json";
  head.content_length = 31;
  head.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  head.lines = "vary: Origin\r\n";
  head.extra = &extra;
  append_response_head(out, head);
  EXPECT_EQ(out,
            "HTTP/1.1 405 Method Not Allowed\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nserver: seraph\r\n"
            "content-type: application/json\r\ncontent-length: 31\r\nvary: Origin\r\nallow: GET\r\n\r\n");
}

TEST(Response, HeadOfAStream) {
  std::string out;
  ResponseHead head;
  head.content_type = kEventStream;
  head.framing = Framing::kChunked;
  head.event_stream = true;
  head.close = true;
  append_response_head(out, head);
  EXPECT_NE(out.find("content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
                     "cache-control: no-cache\r\nx-accel-buffering: no\r\nconnection: close\r\n\r\n"),
            std::string::npos)
      << out;
}

TEST(Response, LineBreaksInHeaderValuesBecomeSpaces) {
  std::string out;
  const std::vector<HttpHeader> extra = {{"x-request-id", "a\r\nset-cookie: b"}};
  ResponseHead head;
  head.extra = &extra;
  append_response_head(out, head);
  EXPECT_NE(out.find("x-request-id: a  set-cookie: b\r\n"), std::string::npos) << out;
}

TEST(Response, Chunks) {
  std::string out;
  append_chunk(out, "data: [DONE]\n\n");
  append_chunk(out, "");
  append_chunk(out, std::string(257, 'x'));
  EXPECT_EQ(out, "e\r\ndata: [DONE]\n\n\r\n101\r\n" + std::string(257, 'x') + "\r\n");
}

TEST(Response, DateIsInternetTime) {
  DateHeader date;
  EXPECT_EQ(date.text(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.text(784111778), "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST(Limits, ErrorsHaveOpenAisShapeAndNameTheOption) {
  HttpOptions options;
  options.body_bytes_max = 1000;
  EXPECT_EQ(failure_body(body_bytes_exceeded(options)),
            "{\"error\":{\"message\":\"The request body is larger than 1000 bytes, the limit set by "
            "--max-body-bytes.\",\"type\":\"Content Too Large\",\"param\":null,\"code\":413}}");
  options.header_timeout_ms = 1500;
  EXPECT_NE(header_time_exceeded(options).message.find("1.500 s"), std::string::npos);
}

}  // namespace
}  // namespace seraph
