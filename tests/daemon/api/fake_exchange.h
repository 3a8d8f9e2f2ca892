// An HTTP exchange without a connection: keeps what it is told.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "daemon/http/server.h"

namespace seraph {

class FakeExchange : public Exchange {
 public:
  const HttpRequest& request() const override { return request_; }
  void drop_body() override { request_.body.clear(); }
  bool open() const override { return !closed && !complete; }
  void respond(int code, std::string_view, std::string text, std::vector<HttpHeader> extra) override {
    headers = std::move(extra);
    status = code;
    body = std::move(text);
    complete = true;
  }
  void begin_stream(std::vector<HttpHeader>) override { streaming = true; }
  bool send(std::string_view bytes) override {
    body += bytes;
    return room;
  }
  void end() override { complete = true; }
  void on_closed(std::function<void()>) override {}
  void on_drained(std::function<void()>) override {}

  HttpRequest request_;
  int status = 0;
  std::string body;
  std::vector<HttpHeader> headers;
  bool streaming = false, complete = false, closed = false, room = true;
};

}  // namespace seraph
