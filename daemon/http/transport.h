// What a connection needs from its socket. The server implements it with libuv; tests and the fuzz target with
// memory, so that the whole connection runs without a network. Loop thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace seraph {

class Transport {
 public:
  virtual ~Transport() = default;
  /// Writes what fits now, in one system call. Returns the number of bytes taken (0: none), negative when broken.
  virtual int64_t try_write(std::span<const std::string_view> parts) = 0;
  /// Writes everything in the background; Connection::on_written follows. The bytes stay where they are until then.
  /// REQUIRES: no such write is pending.
  virtual void start_write(std::span<const std::string_view> parts) = 0;
  /// Bytes of the pending write that have not left yet.
  virtual int64_t unsent_bytes() const = 0;
  virtual void set_reading(bool on) = 0;
  /// Tells the client that nothing more comes; reading goes on.
  virtual void shutdown_write() = 0;
  /// Closes. The connection gets no call afterwards and is destroyed a little later, never inside this call.
  virtual void close() = 0;
  /// Connection::flush will run before the loop sleeps. Any number of requests in a turn give one flush.
  virtual void request_flush() = 0;
};

}  // namespace seraph
