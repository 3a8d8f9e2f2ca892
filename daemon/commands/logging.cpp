#include "daemon/commands/logging.h"

#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "engine/base/json.h"

namespace seraph {
namespace {

constexpr size_t kQueuedLinesMax = 8192;

/// One line a message, whatever is in it: ids and names that clients chose must not write lines, or terminal commands,
/// of their own.
class TextFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& line, spdlog::memory_buf_t& out) override {
    std::string text;
    text.reserve(line.payload.size());
    for (const char c : line.payload) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '\n') {
        text += "\\n";
      } else if (c == '\r') {
        text += "\\r";
      } else if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
        text += fmt::format("\\x{:02x}", byte);
      } else {
        text += c;
      }
    }
    spdlog::details::log_msg clean = line;
    clean.payload = text;
    pattern_.format(clean, out);
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<TextFormatter>(); }

 private:
  spdlog::pattern_formatter pattern_{"%Y-%m-%d %H:%M:%S.%e %-7l %v"};
};

/// {"time":"...","level":"info","message":"..."}; the message is escaped, which a pattern cannot do.
class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& line, spdlog::memory_buf_t& out) override {
    spdlog::memory_buf_t time;
    time_.format(line, time);
    std::string text = R"({"time":")";
    text.append(time.data(), time.size());
    text += R"(","level":")";
    const auto level = spdlog::level::to_string_view(line.level);
    text.append(level.data(), level.size());
    text += R"(","message":)";
    append_json_string(text, std::string_view(line.payload.data(), line.payload.size()));
    text += "}\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }

 private:
  spdlog::pattern_formatter time_{"%Y-%m-%dT%H:%M:%S.%eZ", spdlog::pattern_time_type::utc, ""};
};

}  // namespace

void start_logging(const std::string& level, bool json) {
  spdlog::init_thread_pool(kQueuedLinesMax, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::async_logger>("seraph", std::move(sink), spdlog::thread_pool(),
                                                       spdlog::async_overflow_policy::overrun_oldest);
  if (json) {
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    logger->set_formatter(std::make_unique<TextFormatter>());
  }
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::warn);
  spdlog::set_default_logger(std::move(logger));
}

void stop_logging() {
  // The thread may be writing through this logger; it dies after the thread is joined.
  const std::shared_ptr<spdlog::logger> last = spdlog::default_logger();
  spdlog::shutdown();
  // A worker that outlives the log may still have something to say; without a logger it would crash on it.
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("late", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
}

}  // namespace seraph
