#include "daemon/http/server.h"

#include <uv.h>

#include <algorithm>
#include <vector>

#include "daemon/http/connection.h"
#include "daemon/http/listener.h"
#include "daemon/http/socket.h"
#include "daemon/http/tls.h"
#include "engine/base/check.h"

namespace seraph {
namespace {

constexpr size_t kReadBufferBytes = 64 << 10;
/// Refused connections that may linger over their 503; further ones are closed without a word.
constexpr int kRefusedMax = 64;
/// Rounds of flushing in one loop turn; a producer that refills at once waits for the next turn.
constexpr int kFlushRounds = 4;

/// Deadlines are met to a quarter of the shortest timeout, with at most 40 and at least 2 looks a second.
int64_t sweep_interval_ms(const HttpOptions& options) {
  const int64_t shortest = std::min(
      {options.header_timeout_ms, options.body_timeout_ms, options.idle_timeout_ms, options.stalled_timeout_ms});
  return std::clamp<int64_t>(shortest / 4, 25, 500);
}

class UvHttpServer final : public HttpServer, public SocketOwner {
 public:
  UvHttpServer(uv_loop_t* loop, const HttpOptions& options, const Router& router, std::unique_ptr<TlsContext> tls)
      : loop_(loop),
        shared_(options, router),
        tls_(std::move(tls)),
        read_buffer_(kReadBufferBytes),
        sweep_ms_(sweep_interval_ms(options)),
        listener_(loop, !options.uds.empty()) {
    uv_prepare_init(loop, &prepare_);
    uv_idle_init(loop, &idle_);
    uv_timer_init(loop, &timer_);
    prepare_.data = idle_.data = timer_.data = this;
    // The loop lives as long as there is a listener or a connection, not for these.
    uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
    uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
    uv_prepare_start(&prepare_, [](uv_prepare_t* handle) { static_cast<UvHttpServer*>(handle->data)->flush_all(); });
  }
  ~UvHttpServer() override {
    SERAPH_CHECK(handles_closed_ == kHandles && sockets_.empty(), "close() must have finished before");
  }

  Status open() {
    return listener_.open(shared_.options, [this] { accept(); });
  }

  std::string address() const override { return listener_.address(); }
  int port() const override { return listener_.port(); }
  HttpCounters counters() const override { return shared_.counters; }

  void stop_accepting() override {
    shared_.stopping = true;
    close_listener();
    for (size_t i = 0; i < sockets_.size(); ++i) {
      if (sockets_[i]->has_connection()) sockets_[i]->connection().stop_keep_alive();
    }
  }

  void close(std::function<void()> done) override {
    done_ = std::move(done);
    shared_.stopping = true;
    close_listener();
    for (size_t i = 0; i < sockets_.size(); ++i) {
      if (sockets_[i]->has_connection()) sockets_[i]->connection().abort();
    }
    for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&prepare_), reinterpret_cast<uv_handle_t*>(&idle_),
                                reinterpret_cast<uv_handle_t*>(&timer_)}) {
      uv_close(handle, [](uv_handle_t* closed) { static_cast<UvHttpServer*>(closed->data)->handle_closed(); });
    }
  }

  // SocketOwner
  std::span<char> read_buffer() override { return read_buffer_; }

  void flush_later(Socket& socket) override {
    if (!socket.flush_wanted) {
      socket.flush_wanted = true;
      flush_list_.push_back(&socket);
    }
  }

  void socket_closed(Socket& socket) override {
    if (socket.flush_wanted) {
      std::erase(flush_list_, &socket);
    }
    --shared_.counters.connections_open;
    if (sockets_.size() > 1) {
      sockets_.back()->index = socket.index;
      std::swap(sockets_[socket.index], sockets_.back());
    }
    sockets_.pop_back();
    if (sockets_.empty()) {
      uv_timer_stop(&timer_);
    }
    finish_if_closed();
  }

 private:
  static constexpr int kHandles = 4;  // listener, prepare, idle, timer

  void accept() {
    sockets_.push_back(std::make_unique<Socket>(loop_, *this, listener_.is_pipe()));
    Socket& socket = *sockets_.back();
    socket.index = sockets_.size() - 1;
    ++shared_.counters.connections_open;
    if (sockets_.size() == 1) {
      start_timer();
    }
    const bool open = socket.accept(listener_.stream(), shared_, tls_.get());
    if (!open) {
      return;
    }
    ++shared_.counters.connections_total;
    const auto over = static_cast<int>(sockets_.size()) - shared_.options.connections_max;
    if (over > kRefusedMax) {
      ++shared_.counters.connections_refused;
      socket.connection().abort();
    } else if (over > 0) {
      socket.connection().refuse(now_us());
    }
  }

  void start_timer() {
    const auto sweep = [](uv_timer_t* handle) {
      auto& server = *static_cast<UvHttpServer*>(handle->data);
      const MonotonicUs now = now_us();
      // Closing a socket takes it off the list later, in its close callback, so the indexes hold.
      for (size_t i = 0; i < server.sockets_.size(); ++i) {
        server.sockets_[i]->sweep(now);
      }
    };
    uv_timer_start(&timer_, sweep, static_cast<uint64_t>(sweep_ms_), static_cast<uint64_t>(sweep_ms_));
  }

  /// Runs right before the loop sleeps: all that was sent in this turn leaves now, one writev a connection.
  void flush_all() {
    const MonotonicUs now = now_us();
    for (int round = 0; round < kFlushRounds && !flush_list_.empty(); ++round) {
      flushing_.swap(flush_list_);
      for (Socket* socket : flushing_) socket->flush_wanted = false;
      for (Socket* socket : flushing_) socket->connection().flush(now);
      flushing_.clear();
    }
    if (!flush_list_.empty()) {
      // An idle handle keeps the loop from sleeping on bytes that wait to be sent.
      uv_idle_start(&idle_, [](uv_idle_t*) {});
    } else {
      uv_idle_stop(&idle_);
    }
  }

  void close_listener() {
    if (listener_closing_) return;
    listener_closing_ = true;
    listener_.close([this] { handle_closed(); });
  }

  void handle_closed() {
    ++handles_closed_;
    finish_if_closed();
  }

  void finish_if_closed() {
    if (handles_closed_ == kHandles && sockets_.empty() && done_) {
      const std::function<void()> done = std::move(done_);
      done();  // may destroy this server
    }
  }

  uv_loop_t* const loop_;
  HttpShared shared_;
  const std::unique_ptr<TlsContext> tls_;  // null: plain HTTP
  std::vector<char> read_buffer_;
  const int64_t sweep_ms_;
  Listener listener_;
  uv_prepare_t prepare_;
  uv_idle_t idle_;
  uv_timer_t timer_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::vector<Socket*> flush_list_;
  std::vector<Socket*> flushing_;
  std::function<void()> done_;
  bool listener_closing_ = false;
  int handles_closed_ = 0;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(uv_loop_s* loop, const HttpOptions& options,
                                                       const Router& router) {
  std::unique_ptr<TlsContext> tls;
  if (options.tls_wanted()) {
    SERAPH_ASSIGN_OR_RETURN(tls, TlsContext::make(options));
  }
  auto server = std::make_unique<UvHttpServer>(loop, options, router, std::move(tls));
  Status status = server->open();
  if (status.ok()) {
    return std::unique_ptr<HttpServer>(std::move(server));
  }
  // libuv needs a turn of the loop to close what was begun; nothing else of ours runs in it yet.
  UvHttpServer* dying = server.release();
  dying->close([dying] { delete dying; });
  return std::move(status.error());
}

}  // namespace seraph
