// The framing of a chunked body, watched beside llhttp, which is kind to bare line feeds: outside the data every line
// ends in CR LF and nothing else, and both readers must agree where the body ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace seraph {

class ChunkScanner {
 public:
  /// Reads up to the end of the body or a failure; returns how many bytes that took.
  size_t scan(std::string_view bytes);
  /// The blank line after the trailers was read.
  bool done() const { return state_ == State::kDone; }
  /// A line does not end in CR LF, or a chunk has no size that could be meant.
  bool failed() const { return state_ == State::kFailed; }

 private:
  enum class State {
    kSize,       // the digits of a chunk's size
    kExtension,  // the rest of their line
    kData,       // size_left_ bytes
    kDataEnd,    // the CR LF after them
    kTrailer,    // after the last chunk, up to a blank line
    kDone,
    kFailed,
  };

  void take(char c);
  void end_line();

  State state_ = State::kSize;
  uint64_t size_left_ = 0;
  int64_t line_bytes_ = 0;  // of the line so far, without its end
  char previous_ = 0;
};

}  // namespace seraph
