// The bytes of one connection through the real connection code, on a transport of memory. The first byte chooses how
// the rest is cut into reads and how fast the peer reads; answers come at once, later, as streams or never.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "daemon/http/connection.h"
#include "tests/daemon/http/memory_transport.h"

namespace {

using seraph::Exchange;

struct Harness {
  Harness() {
    options.header_bytes_max = 4096;
    options.header_count_max = 16;
    options.body_bytes_max = 8192;
    options.unsent_soft_bytes = 2048;
    options.unsent_hard_bytes = 8192;
    options.api_keys = {"k"};
    options.allowed_origins = {"http://a"};
    options.request_id_headers = true;
    options.root_path = "/r";
    const auto at_once = [](const std::shared_ptr<Exchange>& exchange) {
      exchange->respond(200, "text/plain", exchange->request().body, {{"x-path", exchange->request().path}});
    };
    const auto later = [this](const std::shared_ptr<Exchange>& exchange) { held.push_back(exchange); };
    const auto stream = [this](const std::shared_ptr<Exchange>& exchange) {
      exchange->begin_stream();
      exchange->on_closed([this] { ++num_closed; });
      exchange->on_drained([exchange] { exchange->send("drained"); });
      while (exchange->send("data: x\n\n") && ++num_sent % 7 != 0) {
      }
      if (exchange->request().query.empty()) {
        exchange->end();
      } else {
        held.push_back(exchange);
      }
    };
    router.add("GET", "/h", seraph::Access::kOpen, at_once);
    router.add("POST", "/e", seraph::Access::kOpen, at_once);
    router.add("GET", "/l", seraph::Access::kOpen, later);
    router.add("GET", "/s", seraph::Access::kOpen, stream);
    router.add("GET", "/p/*", seraph::Access::kKey, at_once);
  }

  seraph::HttpOptions options;
  seraph::Router router;
  std::vector<std::shared_ptr<Exchange>> held;
  int num_closed = 0, num_sent = 0;
};

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > (1 << 16)) return 0;
  Harness harness;
  seraph::HttpShared shared(harness.options, harness.router);
  seraph::MemoryTransport transport;
  const uint8_t mode = data[0];
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (mode & 1) transport.window_bytes = 300;
  const size_t piece = (mode & 2) ? 1 + (mode >> 4) : bytes.size() + 1;
  seraph::MonotonicUs now = 1'000'000;
  {
    seraph::Connection connection(shared, transport, "fuzz", false, now);
    while (!bytes.empty() && !transport.closed) {
      // A copy of the exact size, so that a read past its end is seen.
      const std::vector<char> read(bytes.begin(), bytes.begin() + static_cast<long>(std::min(piece, bytes.size())));
      bytes.remove_prefix(read.size());
      now += 1000;
      connection.on_bytes(std::string_view(read.data(), read.size()), now);
      for (int round = 0; round < 3 && transport.flush_wanted && !transport.closed; ++round) {
        transport.flush_wanted = false;
        connection.flush(now);
      }
      if ((mode & 4) && !harness.held.empty()) {
        harness.held.back()->respond(200, "", "late");
        harness.held.pop_back();
      }
      if (!transport.closed && transport.open_window((mode & 1) ? 200 : 1 << 20)) connection.on_written(true, now);
      if (mode & 8) connection.sweep(now);
    }
    require(shared.body_bytes->load() <= harness.options.bodies_bytes_max);
    require(shared.counters.requests_total >= 0);
    if (!transport.closed) connection.on_eof(now);
    for (int i = 0; i < 10'000 && !transport.closed; ++i) {
      now += 1'000'000;
      if (transport.open_window(1 << 20)) connection.on_written(true, now);
      if (!transport.closed) connection.flush(now);
      if (!transport.closed) connection.sweep(now);
    }
    require(transport.closed);  // a client that is gone never keeps a connection
  }
  harness.held.clear();
  require(shared.body_bytes->load() == 0);
  return 0;
}
