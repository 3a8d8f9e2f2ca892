// TLS of the listening socket: the certificate and the rules of handshakes, made once at start, and the layer that each
// connection gets between itself and its socket. The layer is a Transport that sits on a Transport, so that tests and
// the fuzz target run it in memory. OpenSSL sees memory only, never a socket. Loop thread.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/connection.h"
#include "daemon/http/transport.h"
#include "engine/base/result.h"

namespace seraph {

/// The server's side of TLS 1.2 and 1.3. Constant once made.
class TlsContext {
 public:
  /// Reads certificate, key and CA file. Errors name the option: a file that cannot be read, a key that does not fit,
  /// a key without a certificate. REQUIRES: options.tls_wanted().
  static Result<std::unique_ptr<TlsContext>> make(const HttpOptions& options);
  SSL_CTX* handle() const { return handle_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* handle) const { SSL_CTX_free(handle); }
  };
  explicit TlsContext(SSL_CTX* handle) : handle_(handle) {}
  const std::unique_ptr<SSL_CTX, Free> handle_;
};

/// One connection's TLS. Bytes of the socket come in through on_bytes, what they mean goes to the Connection, and what
/// that writes leaves encrypted. Nothing that the peer sends makes it keep more than kCipherBytesMax.
///
/// A write of the connection may be encrypted before the socket has room for it. Those bytes are not reported as taken:
/// the connection hands them over again in start_write, where `held_` says how many of them to skip.
class TlsTransport final : public Transport {
 public:
  /// `handshake_deadline`: a handshake that is not done then ends the connection.
  TlsTransport(const TlsContext& context, Transport& socket, MonotonicUs handshake_deadline);
  void attach(Connection& connection) { connection_ = &connection; }

  // From the socket.
  void on_bytes(std::string_view bytes, MonotonicUs now);
  void on_eof(MonotonicUs now);
  void on_written(bool ok, MonotonicUs now);
  void sweep(MonotonicUs now);

  // From the connection.
  int64_t try_write(std::span<const std::string_view> parts) override;
  void start_write(std::span<const std::string_view> parts) override;
  int64_t unsent_bytes() const override;
  void set_reading(bool on) override { socket_.set_reading(on); }
  void shutdown_write() override;
  void close() override;
  void request_flush() override { socket_.request_flush(); }

 private:
  struct Free {
    void operator()(SSL* session) const { SSL_free(session); }
  };
  bool established() const { return SSL_is_init_finished(session_.get()) != 0; }
  void read_plain(MonotonicUs now);
  void fail(bool spoke_http);
  bool encrypt(std::string_view plain);
  void take_cipher();
  bool send_cipher();
  bool start_next();
  void push();

  Transport& socket_;
  Connection* connection_ = nullptr;  // set once, right after construction
  const MonotonicUs handshake_deadline_;
  const std::unique_ptr<SSL, Free> session_;
  BIO* from_peer_ = nullptr;  // owned by session_
  BIO* to_peer_ = nullptr;
  std::string queued_;                   // encrypted, not handed to the socket yet
  std::string sending_;                  // with the socket until on_written
  std::vector<std::string_view> plain_;  // the rest of the connection's pending write that is not encrypted yet
  int64_t plain_bytes_ = 0;
  int64_t write_bytes_ = 0;  // of the connection's pending write, all of it
  int64_t held_ = 0;         // bytes encrypted by try_write that it did not report as taken
  bool write_pending_ = false;
  bool socket_pending_ = false;
  bool shutdown_wanted_ = false;
  bool eof_ = false;     // the peer sends no more
  bool broken_ = false;  // the session can say nothing more, not even that it ends
  bool closed_ = false;
};

}  // namespace seraph
