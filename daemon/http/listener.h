// The listening socket: a TCP address or a Unix socket path, with errors that name the option to change.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "daemon/http/server.h"
#include "engine/base/result.h"

namespace seraph {

/// Owned by the server; must be close()d, and destroyed after the callback of that. Loop thread.
class Listener {
 public:
  Listener(uv_loop_t* loop, bool is_pipe);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Binds and listens; `on_connection` runs for each connection that waits to be accepted.
  Status open(const HttpOptions& options, std::function<void()> on_connection);
  uv_stream_t* stream() { return &handle_.stream; }
  bool is_pipe() const { return is_pipe_; }
  /// "http://127.0.0.1:8501", "unix:/path".
  const std::string& address() const { return address_; }
  int port() const { return port_; }
  /// Also removes the file of a Unix socket. `done` runs when the handle is closed. REQUIRES: not called before.
  void close(std::function<void()> done);

 private:
  Status open_tcp(const HttpOptions& options);
  Status open_pipe(const HttpOptions& options);

  union Handle {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  uv_loop_t* loop_;
  const bool is_pipe_;
  Handle handle_;
  std::string address_;
  int port_ = 0;
  std::function<void()> on_connection_;
  std::function<void()> on_closed_;
};

}  // namespace seraph
