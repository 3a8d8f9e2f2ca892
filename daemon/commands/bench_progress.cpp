#include "daemon/commands/bench_progress.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace seraph {
namespace {

constexpr int64_t kBarColumns = 30;
constexpr MonotonicUs kRedrawUs = 100'000;

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(0.0, seconds));
  const std::string minutes = fmt::format("{:02}:{:02}", whole / 60 % 60, whole % 60);
  return whole >= 3600 ? fmt::format("{}:{}", whole / 3600, minutes) : minutes;
}

}  // namespace

std::string progress_line(int64_t done, int64_t total, double elapsed_s) {
  const auto filled = static_cast<size_t>(total > 0 ? kBarColumns * done / total : kBarColumns);
  const std::string bar = std::string(filled, '#') + std::string(static_cast<size_t>(kBarColumns) - filled, ' ');
  const double rate = elapsed_s > 0 ? static_cast<double>(done) / elapsed_s : 0;
  const std::string left = rate > 0 ? clock_text(static_cast<double>(total - done) / rate) : "?";
  return fmt::format("{:3}%|{}| {}/{} [{}<{}, {:.2f}it/s]", total > 0 ? 100 * done / total : 100, bar, done, total,
                     clock_text(elapsed_s), left, rate);
}

ProgressBar::ProgressBar(int64_t total, bool wanted)
    : total_(total), drawn_(wanted && isatty(STDERR_FILENO) == 1), begin_us_(now_us()) {
  show(0);
}

ProgressBar::~ProgressBar() {
  if (drawn_) fmt::print(stderr, "\n");
}

void ProgressBar::show(int64_t done) {
  if (!drawn_) return;
  const MonotonicUs now = now_us();
  if (done != total_ && now - shown_us_ < kRedrawUs) return;
  shown_us_ = now;
  // The line may have become shorter: the escape sequence clears what is behind it.
  fmt::print(stderr, "\r{}\x1b[K", progress_line(done, total_, static_cast<double>(now - begin_us_) * 1e-6));
  std::fflush(stderr);
}

}  // namespace seraph
