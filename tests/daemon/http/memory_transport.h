// A transport of memory: what a connection writes lands in `written`; the peer's window and its failures are set by
// the test. For unit tests and the fuzz target.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http/transport.h"

namespace seraph {

class MemoryTransport final : public Transport {
 public:
  int64_t try_write(std::span<const std::string_view> parts) override {
    ++num_writes;
    if (broken) return -1;
    int64_t taken = 0;
    for (const std::string_view part : parts) {
      const int64_t fits = std::min<int64_t>(window_bytes, static_cast<int64_t>(part.size()));
      written.append(part.substr(0, static_cast<size_t>(fits)));
      window_bytes -= fits;
      taken += fits;
      if (fits < static_cast<int64_t>(part.size())) break;
    }
    return taken;
  }
  void start_write(std::span<const std::string_view> parts) override {
    for (const std::string_view part : parts) pending.push_back(part);
    write_pending = true;
  }
  int64_t unsent_bytes() const override {
    int64_t bytes = 0;
    for (const std::string_view part : pending) bytes += static_cast<int64_t>(part.size());
    return bytes;
  }
  void set_reading(bool on) override { reading = on; }
  void shutdown_write() override { shut_down = true; }
  void close() override { closed = true; }
  void request_flush() override { flush_wanted = true; }

  /// The peer reads so many more bytes. True: the pending write is done, on_written is due.
  bool open_window(int64_t bytes) {
    window_bytes += bytes;
    while (!pending.empty() && window_bytes > 0) {
      std::string_view& part = pending.front();
      const auto fits = static_cast<size_t>(std::min<int64_t>(window_bytes, static_cast<int64_t>(part.size())));
      written.append(part.substr(0, fits));
      window_bytes -= static_cast<int64_t>(fits);
      part.remove_prefix(fits);
      if (part.empty()) pending.erase(pending.begin());
    }
    const bool done = write_pending && pending.empty();
    if (done) write_pending = false;
    return done;
  }

  std::string written;
  std::vector<std::string_view> pending;
  int64_t window_bytes = int64_t{1} << 40;
  int num_writes = 0;
  bool write_pending = false;
  bool broken = false;
  bool reading = true;
  bool shut_down = false;
  bool closed = false;
  bool flush_wanted = false;
};

}  // namespace seraph
