// One accepted socket: the libuv handle, its write and shutdown requests, and the Connection that lives on it. Made
// on accept, destroyed by the server after the close callback of its handle. Loop thread.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/http/connection.h"
#include "daemon/http/tls.h"
#include "daemon/http/transport.h"

namespace seraph {

class Socket;

/// What a socket tells its server.
class SocketOwner {
 public:
  virtual ~SocketOwner() = default;
  virtual void flush_later(Socket& socket) = 0;
  /// The handle is closed; the owner destroys the socket.
  virtual void socket_closed(Socket& socket) = 0;
  /// Memory for one read; used up before the next one.
  virtual std::span<char> read_buffer() = 0;
};

class Socket final : public Transport {
 public:
  Socket(uv_loop_t* loop, SocketOwner& owner, bool is_pipe);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// Takes the next connection of the listener and starts reading; `tls` is null for plain HTTP. False: the socket is
  /// closing already.
  bool accept(uv_stream_t* listener, HttpShared& shared, const TlsContext* tls);
  /// Meets the deadlines of the connection and of its handshake.
  void sweep(MonotonicUs now);
  Connection& connection() { return *connection_; }
  bool has_connection() const { return connection_.has_value(); }

  int64_t try_write(std::span<const std::string_view> parts) override;
  void start_write(std::span<const std::string_view> parts) override;
  int64_t unsent_bytes() const override;
  void set_reading(bool on) override;
  void shutdown_write() override;
  void close() override;
  void request_flush() override;

  // Kept by the owner.
  size_t index = 0;
  bool flush_wanted = false;

 private:
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);
  void peer_name(std::string& name, bool& is_loopback) const;
  uv_handle_t* handle() { return &handle_.any; }
  uv_stream_t* stream() { return &handle_.stream; }

  union Handle {
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  SocketOwner& owner_;
  const bool is_pipe_;
  Handle handle_;
  uv_write_t write_;
  uv_shutdown_t shutdown_;
  bool shutdown_sent_ = false;
  std::optional<TlsTransport> tls_;  // between the two, when the server speaks TLS
  std::optional<Connection> connection_;
};

/// "127.0.0.1:80", "[::1]:80"; "" for an address of another kind.
std::string address_text(const sockaddr_storage& address, bool& is_loopback);

}  // namespace seraph
