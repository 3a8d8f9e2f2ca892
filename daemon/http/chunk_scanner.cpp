#include "daemon/http/chunk_scanner.h"

#include <algorithm>

namespace seraph {
namespace {

/// Far above every limit on bodies, far below what could overflow.
constexpr uint64_t kChunkBytesMax = uint64_t{1} << 50;

/// -1: no hexadecimal digit.
int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

size_t ChunkScanner::scan(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size() && !done() && !failed()) {
    if (state_ == State::kData) {
      const size_t skipped = std::min<uint64_t>(bytes.size() - at, size_left_);
      size_left_ -= skipped;
      at += skipped;
      if (size_left_ == 0) state_ = State::kDataEnd;
    } else {
      take(bytes[at++]);
    }
  }
  return at;
}

/// One byte outside the data.
void ChunkScanner::take(char c) {
  const bool ends = c == '\n';
  if (ends != (previous_ == '\r')) {
    state_ = State::kFailed;
    return;
  }
  previous_ = c;
  if (ends) return end_line();
  if (c == '\r') return;
  ++line_bytes_;
  if (state_ == State::kDataEnd) state_ = State::kFailed;
  if (state_ != State::kSize) return;
  if (const int digit = digit_of(c); digit < 0) {
    state_ = State::kExtension;
  } else if (size_left_ > kChunkBytesMax) {
    state_ = State::kFailed;
  } else {
    size_left_ = size_left_ * 16 + static_cast<uint64_t>(digit);
  }
}

void ChunkScanner::end_line() {
  const bool blank = line_bytes_ == 0;
  line_bytes_ = 0;
  previous_ = 0;
  if (state_ == State::kTrailer) {
    if (blank) state_ = State::kDone;
  } else if (state_ == State::kDataEnd) {
    state_ = State::kSize;
  } else if (blank) {
    state_ = State::kFailed;
  } else {
    state_ = size_left_ == 0 ? State::kTrailer : State::kData;
  }
}

}  // namespace seraph
