// The exchange of a request whose client was answered already: the answer goes to a callback. Loop thread.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/http/server.h"

namespace seraph {

class DetachedExchange final : public Exchange {
 public:
  using Done = std::function<void(int status, std::string body)>;
  DetachedExchange(HttpRequest request, Done done) : request_(std::move(request)), done_(std::move(done)) {}

  const HttpRequest& request() const override { return request_; }
  void drop_body() override {}  // it has none
  bool open() const override { return done_ != nullptr; }
  void respond(int status, std::string_view, std::string body, std::vector<HttpHeader>) override {
    if (const Done done = std::exchange(done_, nullptr)) done(status, std::move(body));
  }
  // Nobody listens to a stream: such requests are prepared without one.
  void begin_stream(std::vector<HttpHeader>) override {}
  bool send(std::string_view) override { return true; }
  void end() override {}
  void on_closed(std::function<void()>) override {}
  void on_drained(std::function<void()>) override {}

 private:
  const HttpRequest request_;
  Done done_;
};

}  // namespace seraph
