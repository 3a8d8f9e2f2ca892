#include "daemon/http/exchange.h"

namespace seraph {

void ConnectionExchange::respond(int status, std::string_view content_type, std::string body,
                                 std::vector<HttpHeader> extra) {
  if (open()) connection_->respond(status, content_type, std::move(body), extra);
}

void ConnectionExchange::begin_stream(std::vector<HttpHeader> extra) {
  if (open()) connection_->begin_stream(extra);
}

bool ConnectionExchange::send(std::string_view bytes) { return open() && connection_->send(bytes); }

void ConnectionExchange::end() {
  if (open()) connection_->end_stream();
}

void ConnectionExchange::on_closed(std::function<void()> callback) {
  if (lost_) {
    callback();
  } else if (connection_) {
    closed_callback_ = std::move(callback);
  }
}

void ConnectionExchange::on_drained(std::function<void()> callback) {
  if (connection_) drained_callback_ = std::move(callback);
}

void ConnectionExchange::detach() {
  connection_ = nullptr;
  closed_callback_ = nullptr;
  drained_callback_ = nullptr;
}

void ConnectionExchange::lost() {
  const std::function<void()> callback = std::move(closed_callback_);
  detach();
  lost_ = true;
  if (callback) callback();
}

void ConnectionExchange::drained() {
  // A copy: the callback may end the answer, which drops the original.
  const std::function<void()> callback = drained_callback_;
  if (callback) callback();
}

}  // namespace seraph
