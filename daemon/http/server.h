// HTTP/1.1 on libuv and llhttp: listeners, connections, routing, bearer keys, CORS, server-sent events. Knows
// methods, paths and bytes; knows no endpoint. Everything here runs on the loop thread.
//
// A handler receives an Exchange and answers it once: respond(), or begin_stream() + send()... + end(), now
// or later. Pipelined requests of a connection are handled one after another, so answers are in order.
// A producer has two edges: `on_closed` (the client is gone: stop) and the slow-reader limits (see send()).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/result.h"

struct uv_loop_s;

namespace seraph {

/// One answer, for the access log; `path` as the client sent it, without the query, which may hold secrets.
struct AccessRecord {
  std::string_view peer, method, path;
  int status = 0;
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8000;                           // 0: any free port (tests)
  std::string uds;                           // path of a unix socket; host and port are then unused
  std::vector<std::string> api_keys;         // empty: no key needed
  std::vector<std::string> allowed_origins;  // CORS; empty: no CORS headers; "*": every origin
  std::vector<std::string> allowed_methods = {"*"};
  std::vector<std::string> allowed_headers = {"*"};
  bool allow_credentials = false;
  bool request_id_headers = false;  // X-Request-Id on every answer
  std::string ssl_certfile;         // PEM; with it, or a key, the server speaks TLS
  std::string ssl_keyfile;          // PEM; empty: the key is in the certificate's file
  std::string ssl_ca_certs;         // PEM; who signs client certificates
  int ssl_cert_reqs = 0;            // client certificates: 0 not asked for, 1 checked when there is one, 2 required
  std::string ssl_ciphers;          // OpenSSL's list for TLS 1.2; empty: its default
  std::function<void(const AccessRecord&)> access_log;  // runs when the status of an answer is known; may be empty
  /// Likewise, of requests for a known path that no handler sees, since their key or method is wrong.
  std::function<void(const AccessRecord&)> refusal_log;
  std::string root_path;                 // prefix that a proxy leaves in the path; stripped before routing
  int connections_max = 4096;            // more: 503 and close
  int64_t header_bytes_max = 64 << 10;   // more: 431
  int header_count_max = 256;            // more: 431
  int64_t body_bytes_max = 64LL << 20;   // more: 413
  int64_t bodies_bytes_max = 1LL << 30;  // bodies held at one time by all connections; more: 503
  int64_t header_timeout_ms = 10'000;    // from the first byte of a request to its blank line, else 408
  int64_t body_timeout_ms = 60'000;      // from the headers to the last body byte, else 408
  int64_t idle_timeout_ms = 120'000;     // keep-alive without a request: closed silently
  int64_t unsent_soft_bytes = 1 << 20;   // a stream with more unsent bytes is "paused" (Exchange::send returns false)
  int64_t unsent_hard_bytes = 16 << 20;  // a stream with more is cut and on_closed runs
  int64_t stalled_timeout_ms = 60'000;   // unsent bytes that do not move for so long: cut

  bool tls_wanted() const { return !ssl_certfile.empty() || !ssl_keyfile.empty(); }
};

struct HttpHeader {
  std::string name;  // lower case
  std::string value;
};

struct HttpRequest {
  std::string method;  // "GET", as sent
  std::string path;    // normalised once: percent-decoded, slashes collapsed, root path stripped, no query
  std::string query;   // without '?', not decoded
  std::vector<HttpHeader> headers;
  std::string body;
  std::string peer;  // "127.0.0.1:54321", "unix"
  bool peer_is_loopback = false;
  int32_t key_index = -1;      // which of api_keys was presented; -1: none
  std::string key_owner;       // stands for that key across restarts, without giving it away; "" for none
  std::string path_tail;       // what a route ending in '*' matched there
  MonotonicUs arrived_us = 0;  // when the last byte came
  /// "" when absent. `name` in lower case.
  std::string_view header(std::string_view name) const;
};

/// One request and the way to answer it. Shared by the connection and the handler's own state; outlives the
/// connection as long as somebody holds it, and then swallows what is sent.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const HttpRequest& request() const = 0;
  /// Frees the request's body and its share of the bodies' limit, when it has been read. The rest of it stays.
  virtual void drop_body() = 0;
  /// False once the client is gone or the answer is complete.
  virtual bool open() const = 0;
  /// A whole answer with Content-Length. `extra` are further headers (names in lower case).
  virtual void respond(int status, std::string_view content_type, std::string body,
                       std::vector<HttpHeader> extra = {}) = 0;
  /// Status 200 and headers of a text/event-stream (chunked); flushed with the first send().
  virtual void begin_stream(std::vector<HttpHeader> extra = {}) = 0;
  /// Queues bytes of the stream. All that is queued in one loop turn leaves in one writev per connection.
  /// False: the soft limit is passed; the bytes are queued all the same, but the caller should hold back
  /// until on_drained. Past the hard limit the connection is cut.
  virtual bool send(std::string_view bytes) = 0;
  /// Ends the stream.
  virtual void end() = 0;
  /// Runs once if the client goes away (or is cut) before the answer is complete, never inside another call of
  /// this object; at once when that has happened already. Both callbacks are dropped when the answer is complete.
  virtual void on_closed(std::function<void()> callback) = 0;
  /// Runs each time the unsent bytes fall below half the soft limit after send() returned false.
  virtual void on_drained(std::function<void()> callback) = 0;
};

using HttpHandler = std::function<void(std::shared_ptr<Exchange>)>;

enum class Access {
  kOpen,       // never needs a key (/health, /ping)
  kKey,        // needs a key once one is set: Authorization: Bearer KEY
  kAnyHeader,  // the same, and x-api-key may bring it, as Anthropic's clients send it; vLLM knows the first header only
};

/// The routes of the server: exact paths, or a prefix when the path ends in '*'. Unknown paths: 404, known
/// path with another method: 405 with Allow. Their bodies are vLLM's ({"detail":"Not Found"}).
class Router {
 public:
  /// HEAD is not implied by GET: the API answers it 405 as vLLM does. A page adds "HEAD" with the same handler;
  /// the connection leaves the body away.
  void add(std::string method, std::string path, Access access, HttpHandler handler);
  struct Match {
    const HttpHandler* handler = nullptr;  // null: 404, or 405 when allowed_methods is not empty
    Access access = Access::kKey;          // of the path, also when the method does not fit; kKey when unknown
    std::string allowed_methods;           // "GET, POST"
    std::string path_tail;
  };
  Match find(std::string_view method, std::string_view path) const;
  struct Listed {
    std::string method, path;  // as added
    Access access = Access::kKey;
  };
  /// In the order in which they were added.
  std::vector<Listed> routes() const;

 private:
  struct Route {
    std::string method, path;
    bool prefix = false;
    Access access = Access::kKey;
    HttpHandler handler;
  };
  std::vector<Route> routes_;
};

struct HttpCounters {  // for /metrics and the soak test
  int64_t connections_open = 0;
  int64_t connections_total = 0;
  int64_t connections_refused = 0;
  int64_t requests_total = 0;
  int64_t responses_by_class[6] = {};  // [2] = 2xx ...
  int64_t slow_readers_cut = 0;
};

class HttpServer {
 public:
  /// Binds and listens; serving starts when the loop runs. `router` must outlive the server.
  /// Errors: the address is in use or not ours, with the option to change.
  static Result<std::unique_ptr<HttpServer>> listen(uv_loop_s* loop, const HttpOptions& options, const Router& router);
  virtual ~HttpServer() = default;
  /// "http://127.0.0.1:8501" or "unix:/path".
  virtual std::string address() const = 0;
  virtual int port() const = 0;
  /// Shutdown, first part: no new connections; those without a complete request close; answers in progress go on with
  /// Connection: close.
  virtual void stop_accepting() = 0;
  /// Shutdown, second part: closes what is left; `done` runs when every handle is closed (then the server may be
  /// destroyed).
  virtual void close(std::function<void()> done) = 0;
  virtual HttpCounters counters() const = 0;
};

}  // namespace seraph
