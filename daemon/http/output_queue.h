// Bytes on their way to a socket: small pieces are gathered into segments, whole bodies are moved in without a
// copy. Segments that a pending write refers to are pinned and never change. One per connection, loop thread.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>

namespace seraph {

class OutputQueue {
 public:
  /// A string to append to; call commit() after it, before anything else.
  std::string& tail();
  void commit();
  /// Appends a body as a segment of its own when it is large.
  void append(std::string&& body);

  int64_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  /// The first unsent parts, as many as `out` takes and `bytes_max` allows; returns how many.
  size_t parts(std::span<std::string_view> out, int64_t bytes_max) const;
  /// Forgets the first `count` bytes. REQUIRES: count <= bytes().
  void consume(int64_t count);
  /// Keeps all segments of now as they are until unpin(); what is appended goes to new ones.
  void pin() { pinned_ = segments_.size(); }
  void unpin() { pinned_ = 0; }

 private:
  std::deque<std::string> segments_;
  size_t head_offset_ = 0;  // bytes of the first segment that are gone already
  size_t pinned_ = 0;
  size_t tail_size_ = 0;  // of the last segment before tail() was handed out
  int64_t bytes_ = 0;
};

}  // namespace seraph
