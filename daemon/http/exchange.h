// The handler's end of one request. Shared by the connection and the handler; when the connection is gone or the
// answer complete, it swallows what is sent. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/http/connection.h"
#include "daemon/http/server.h"

namespace seraph {

class ConnectionExchange final : public Exchange {
 public:
  ConnectionExchange(Connection& connection, HttpRequest request, BodyLease lease)
      : connection_(&connection), request_(std::move(request)), lease_(std::move(lease)) {}

  const HttpRequest& request() const override { return request_; }
  void drop_body() override {
    std::string().swap(request_.body);
    lease_.release();
  }
  bool open() const override { return connection_ != nullptr && !connection_->cut_; }
  void respond(int status, std::string_view content_type, std::string body, std::vector<HttpHeader> extra) override;
  void begin_stream(std::vector<HttpHeader> extra) override;
  bool send(std::string_view bytes) override;
  void end() override;
  void on_closed(std::function<void()> callback) override;
  void on_drained(std::function<void()> callback) override;

  /// The answer is complete. Drops the callbacks, which may hold this object.
  void detach();
  /// The client is gone: detaches, then runs on_closed.
  void lost();
  void drained();

 private:
  Connection* connection_;  // null: detached
  HttpRequest request_;
  BodyLease lease_;
  bool lost_ = false;
  std::function<void()> closed_callback_;
  std::function<void()> drained_callback_;
};

}  // namespace seraph
