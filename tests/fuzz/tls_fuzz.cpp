// What a peer may send to a TLS port, through the real layer and the real connection code: garbage from the first byte
// on, or a good handshake and then the input as plain text or as broken records. The first byte chooses.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "daemon/http/tls.h"
#include "tests/daemon/http/memory_transport.h"
#include "tests/daemon/http/tls_client.h"

namespace {

/// Made once: a key costs more than a run.
const seraph::TlsContext& context() {
  static const std::unique_ptr<seraph::TlsContext> kContext = [] {
    const seraph::Identity identity = seraph::make_identity();
    const std::string path = std::filesystem::temp_directory_path() / ("seraph_tls_fuzz_" + std::to_string(getpid()));
    std::ofstream(path) << identity.certificate << identity.key;
    seraph::HttpOptions options;
    options.ssl_certfile = path;
    auto made = seraph::TlsContext::make(options);
    std::filesystem::remove(path);
    if (!made.ok()) std::abort();
    return std::move(*made);
  }();
  return *kContext;
}

struct Pair {
  Pair() {
    options.body_bytes_max = 8192;
    router.add("GET", "/h", seraph::Access::kOpen, [](const std::shared_ptr<seraph::Exchange>& exchange) {
      exchange->respond(200, "text/plain", exchange->request().query);
    });
    connection.emplace(shared, tls, "fuzz", false, now);
    tls.attach(*connection);
  }
  void feed(std::string_view bytes) {
    if (socket.closed) return;
    tls.on_bytes(bytes, now);
    for (int round = 0; round < 3 && socket.flush_wanted && !socket.closed; ++round) {
      socket.flush_wanted = false;
      connection->flush(now);
    }
    if (!socket.closed && socket.open_window(1 << 20)) tls.on_written(true, now);
  }
  void shake_hands() {
    for (int round = 0; round < 4; ++round) {
      feed(client.to_send());
      client.receive(socket.written);
      socket.written.clear();
    }
  }

  seraph::HttpOptions options;
  seraph::Router router;
  seraph::HttpShared shared{options, router};
  seraph::MemoryTransport socket;
  seraph::MonotonicUs now = 1'000'000;
  seraph::TlsTransport tls{context(), socket, now + 10'000'000};
  std::optional<seraph::Connection> connection;
  seraph::TlsClient client;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > (1 << 15)) return 0;
  Pair pair;
  const uint8_t mode = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((mode & 1) != 0) pair.shake_hands();
  if ((mode & 2) != 0) pair.socket.window_bytes = 100;
  if ((mode & 4) != 0 && pair.client.established()) {
    pair.client.write(bytes);
    std::string records = pair.client.to_send();
    if ((mode & 8) != 0 && !records.empty()) records[mode * 7 % records.size()] ^= 0x20;
    pair.feed(records);
  } else {
    const size_t piece = (mode & 16) != 0 ? 1 + (mode >> 5) : bytes.size() + 1;
    for (size_t at = 0; at < bytes.size(); at += piece) pair.feed(bytes.substr(at, piece));
  }
  if (!pair.socket.closed) pair.tls.on_eof(pair.now);
  for (int i = 0; i < 1000 && !pair.socket.closed; ++i) {
    pair.now += 1'000'000;
    if (pair.socket.open_window(1 << 20)) pair.tls.on_written(true, pair.now);
    if (!pair.socket.closed) pair.connection->flush(pair.now);
    if (!pair.socket.closed) pair.tls.sweep(pair.now);
    if (!pair.socket.closed) pair.connection->sweep(pair.now);
  }
  if (!pair.socket.closed) std::abort();  // a client that is gone never keeps a connection
  return 0;
}
