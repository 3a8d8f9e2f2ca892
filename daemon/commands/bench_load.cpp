#include "daemon/commands/bench_load.h"

#include <llhttp.h>
#include <netdb.h>
#include <spdlog/fmt/fmt.h>
#include <uv.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <memory>

#include "engine/base/clock.h"
#include "engine/base/json.h"

namespace seraph {
namespace {

struct Load;

/// One request on its own connection. Owned by the load; freed in the handle's close callback.
struct Flight {
  Load* load = nullptr;
  size_t index = 0;
  BenchSample* sample = nullptr;
  uv_tcp_t tcp = {};
  uv_connect_t connect = {};
  uv_write_t write = {};
  std::string head;
  llhttp_t parser = {};
  std::string text;    // of the body, not yet consumed
  bool whole = false;  // keep the body as it is (http_call)
  bool complete = false;
  char buffer[65536];
};

struct Load {
  uv_loop_t loop = {};
  uv_timer_t timer = {};
  llhttp_settings_t settings = {};
  sockaddr_storage address = {};
  const LoadPlan* plan = nullptr;
  std::string method, path;  // of http_call; "": a load
  HttpAnswer answer;
  std::vector<BenchSample> samples;
  size_t next = 0;
  int running = 0;
  int64_t num_done = 0;
  int64_t begin_us = 0;
};

void start_due(Load& load);

/// The text of a chunk: of a chat delta, or of a completion.
void append_text(const Json& choice, std::string& out) {
  const Json* delta = choice.find("delta");
  const Json* text = delta != nullptr ? delta->find("content") : choice.find("text");
  if (text != nullptr && text->is_string()) out += text->as_string();
}

void take_event(Flight& flight, std::string_view data) {
  if (data == "[DONE]") return;
  const auto json = Json::parse(data);
  if (!json.ok()) {
    flight.sample->error = "an event is no JSON";
    return;
  }
  if (const Json* error = json->find("error")) {
    flight.sample->error = error->dump();
    return;
  }
  const Json* choices = json->find("choices");
  if (choices != nullptr && choices->is_array() && !choices->as_array().empty()) {
    flight.sample->chunks_us.push_back(now_us());
    flight.sample->end_us = flight.sample->chunks_us.back();
    append_text(choices->as_array().front(), flight.sample->text);
  }
  const Json* usage = json->find("usage");
  if (usage == nullptr || !usage->is_object()) return;
  for (const auto& [name, target] : {std::pair{"prompt_tokens", &flight.sample->prompt_tokens},
                                     std::pair{"completion_tokens", &flight.sample->output_tokens}}) {
    if (const Json* value = usage->find(name); value != nullptr && value->is_int()) *target = value->as_int();
  }
}

int on_body(llhttp_t* parser, const char* at, size_t size) {
  auto& flight = *static_cast<Flight*>(parser->data);
  flight.text.append(at, size);
  if (flight.whole || parser->status_code != 200) return 0;
  size_t begin = 0;
  for (size_t end = flight.text.find('\n'); end != std::string::npos; end = flight.text.find('\n', begin)) {
    std::string_view line(flight.text.data() + begin, end - begin);
    if (line.starts_with("data: ")) take_event(flight, line.substr(6));
    begin = end + 1;
  }
  flight.text.erase(0, begin);
  return 0;
}

int on_complete(llhttp_t* parser) {
  static_cast<Flight*>(parser->data)->complete = true;
  return 0;
}

void on_flight_closed(uv_handle_t* handle) {
  std::unique_ptr<Flight> flight(static_cast<Flight*>(handle->data));
  Load& load = *flight->load;
  BenchSample& sample = *flight->sample;
  if (flight->parser.status_code != 200 && sample.error.empty() && flight->complete) {
    sample.error = fmt::format("HTTP {}: {}", flight->parser.status_code, flight->text.substr(0, 300));
  }
  if (!flight->complete && sample.error.empty()) sample.error = "the connection ended early";
  sample.ok = sample.error.empty() && (flight->whole || !sample.chunks_us.empty());
  if (!sample.ok && sample.error.empty()) sample.error = "the answer held no text";
  // A server that sends no usage is taken to send a token per chunk after the first, which names the role.
  if (sample.ok && sample.output_tokens == 0) sample.output_tokens = static_cast<int64_t>(sample.chunks_us.size());
  if (flight->whole && flight->complete) load.answer = {flight->parser.status_code, std::move(flight->text)};
  --load.running;
  ++load.num_done;
  if (load.plan->on_progress) load.plan->on_progress(load.num_done);
  start_due(load);
}

void close_flight(Flight& flight, const char* error = nullptr) {
  if (error != nullptr && flight.sample->error.empty()) flight.sample->error = error;
  auto* handle = reinterpret_cast<uv_handle_t*>(&flight.tcp);
  if (uv_is_closing(handle) == 0) uv_close(handle, on_flight_closed);
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  auto& flight = *static_cast<Flight*>(stream->data);
  if (size < 0) {
    if (size == UV_EOF) llhttp_finish(&flight.parser);  // an answer may be delimited by the end of the connection
    close_flight(flight, size == UV_EOF ? nullptr : uv_strerror(static_cast<int>(size)));
    return;
  }
  if (llhttp_execute(&flight.parser, buffer->base, static_cast<size_t>(size)) != HPE_OK) {
    close_flight(flight, flight.complete ? nullptr : "the answer is no HTTP");
  } else if (flight.complete) {
    close_flight(flight);
  }
}

void on_connected(uv_connect_t* request, int status) {
  auto& flight = *static_cast<Flight*>(request->data);
  if (status < 0) {
    close_flight(flight, uv_strerror(status));
    return;
  }
  const std::string& body = flight.load->plan->bodies[flight.index];
  uv_buf_t parts[] = {uv_buf_init(flight.head.data(), static_cast<unsigned>(flight.head.size())),
                      uv_buf_init(const_cast<char*>(body.data()), static_cast<unsigned>(body.size()))};
  uv_write(&flight.write, reinterpret_cast<uv_stream_t*>(&flight.tcp), parts, body.empty() ? 1 : 2, nullptr);
  uv_read_start(
      reinterpret_cast<uv_stream_t*>(&flight.tcp),
      [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
        auto& reader = *static_cast<Flight*>(handle->data);
        *buffer = uv_buf_init(reader.buffer, sizeof(reader.buffer));
      },
      on_read);
}

std::string request_head(const LoadPlan& plan, const std::string& method, const std::string& path) {
  std::string head = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}:{}\r\n", method, plan.target.path, path,
                                 plan.target.host, plan.target.port);
  if (!plan.api_key.empty()) head += fmt::format("Authorization: Bearer {}\r\n", plan.api_key);
  for (const auto& [name, value] : plan.headers) head += fmt::format("{}: {}\r\n", name, value);
  return head + "Connection: close\r\n";
}

std::string head_of(const Load& load, size_t index) {
  const LoadPlan& plan = *load.plan;
  if (load.method == "GET") return request_head(plan, load.method, load.path) + "\r\n";
  std::string head = request_head(plan, "POST", load.path.empty() ? plan.endpoint : load.path);
  if (!plan.request_id_prefix.empty()) head += fmt::format("x-request-id: {}{}\r\n", plan.request_id_prefix, index);
  return head + fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", plan.bodies[index].size());
}

void launch(Load& load, size_t index) {
  auto owned = std::make_unique<Flight>();
  Flight& flight = *owned.release();  // back in a unique_ptr in on_flight_closed
  flight.load = &load;
  flight.index = index;
  flight.sample = &load.samples[index];
  flight.whole = !load.path.empty();
  flight.head = head_of(load, index);
  llhttp_init(&flight.parser, HTTP_RESPONSE, &load.settings);
  flight.parser.data = &flight;
  uv_tcp_init(&load.loop, &flight.tcp);
  uv_tcp_nodelay(&flight.tcp, 1);
  flight.tcp.data = &flight;
  flight.connect.data = &flight;
  flight.sample->due_us = load.begin_us + load.plan->starts_us[index];
  flight.sample->start_us = now_us();
  ++load.running;
  const int status =
      uv_tcp_connect(&flight.connect, &flight.tcp, reinterpret_cast<const sockaddr*>(&load.address), on_connected);
  if (status < 0) close_flight(flight, uv_strerror(status));
}

/// Starts what may start now and sets the timer for what comes later.
void start_due(Load& load) {
  const auto& starts = load.plan->starts_us;
  while (load.next < load.samples.size()) {
    if (load.plan->max_concurrency > 0 && load.running >= load.plan->max_concurrency) return;
    const int64_t wait_us = load.begin_us + starts[load.next] - now_us();
    if (wait_us > 0) {
      const auto wait_ms = static_cast<uint64_t>(wait_us / 1000 + 1);
      uv_timer_start(
          &load.timer, [](uv_timer_t* timer) { start_due(*static_cast<Load*>(timer->data)); }, wait_ms, 0);
      return;
    }
    launch(load, load.next++);
  }
  uv_timer_stop(&load.timer);
}

Status resolve(const HttpTarget& target, sockaddr_storage& out) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (status != 0) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("the host {} cannot be found: {}", target.host, gai_strerror(status)), "check --base-url"};
  }
  std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen, reinterpret_cast<char*>(&out));
  freeaddrinfo(found);
  return {};
}

Status drive(Load& load) {
  SERAPH_RETURN_IF_ERROR(resolve(load.plan->target, load.address));
  uv_loop_init(&load.loop);
  uv_timer_init(&load.loop, &load.timer);
  load.timer.data = &load;
  llhttp_settings_init(&load.settings);
  load.settings.on_body = on_body;
  load.settings.on_message_complete = on_complete;
  load.begin_us = now_us();
  start_due(load);
  uv_run(&load.loop, UV_RUN_DEFAULT);
  uv_close(reinterpret_cast<uv_handle_t*>(&load.timer), nullptr);
  uv_run(&load.loop, UV_RUN_DEFAULT);
  uv_loop_close(&load.loop);
  return {};
}

}  // namespace

Result<HttpTarget> parse_http_url(const std::string& url) {
  const auto invalid = [&] {
    return Error{ErrorCode::kInvalidArgument, fmt::format("'{}' is no address of the form http://HOST:PORT", url), "",
                 "--base-url"};
  };
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return invalid();
  std::string_view rest = std::string_view(url).substr(kScheme.size());
  HttpTarget target;
  const size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    target.path = std::string(rest.substr(slash));
    while (target.path.ends_with('/')) target.path.pop_back();
    rest = rest.substr(0, slash);
  }
  std::string_view port;
  if (rest.starts_with('[')) {  // [::1]:8000
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) return invalid();
    target.host = std::string(rest.substr(1, end - 1));
    if (rest.size() > end + 1) port = rest.substr(end + 2);
  } else {
    const size_t colon = rest.find(':');
    target.host = std::string(rest.substr(0, colon));
    if (colon != std::string_view::npos) port = rest.substr(colon + 1);
  }
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), target.port);
    if (error != std::errc{} || end != port.data() + port.size() || target.port < 1 || target.port > 65535) {
      return invalid();
    }
  }
  if (target.host.empty()) return invalid();
  return target;
}

Result<std::vector<BenchSample>> run_load(const LoadPlan& plan) {
  Load load;
  load.plan = &plan;
  load.samples.resize(plan.bodies.size());
  SERAPH_RETURN_IF_ERROR(drive(load));
  return std::move(load.samples);
}

Result<HttpAnswer> http_call(const HttpCall& call) {
  LoadPlan plan;
  plan.target = call.target;
  plan.api_key = call.api_key;
  plan.bodies = {call.body};
  plan.starts_us = {0};
  Load load;
  load.plan = &plan;
  load.method = call.method;
  load.path = call.path;
  load.samples.resize(1);
  SERAPH_RETURN_IF_ERROR(drive(load));
  if (load.answer.status > 0) return std::move(load.answer);
  return Error{ErrorCode::kUnavailable, fmt::format("{} {} of {}:{}: {}", call.method, call.path, call.target.host,
                                                    call.target.port, load.samples[0].error)};
}

Result<std::string> http_get(const HttpTarget& target, const std::string& path, const std::string& api_key) {
  SERAPH_ASSIGN_OR_RETURN(HttpAnswer answer,
                          http_call({.target = target, .method = "GET", .path = path, .api_key = api_key}));
  if (answer.status == 200) return std::move(answer.body);
  return Error{ErrorCode::kUnavailable, fmt::format("GET {} of {}:{}: HTTP {}: {}", path, target.host, target.port,
                                                    answer.status, answer.body.substr(0, 300))};
}

}  // namespace seraph
