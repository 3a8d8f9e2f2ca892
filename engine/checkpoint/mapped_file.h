// A whole file mapped read-only, and a thread that reads mapped files ahead of the loader. A file that
// shrinks while it is mapped kills the process (SIGBUS), as with every program that maps its input.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/result.h"

namespace seraph {

/// Owns one mapping. Immutable; any thread.
class MappedFile {
 public:
  /// Errors: kNotFound, kIo; the message names the path.
  static Result<std::unique_ptr<MappedFile>> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const uint8_t> bytes() const { return {data_, static_cast<size_t>(size_)}; }
  /// Starts reading [begin, begin + count) from the disk without waiting.
  void will_need(int64_t begin, int64_t count) const;
  /// Drops the whole pages inside [begin, begin + count) from this process; they stay readable.
  void dont_need(int64_t begin, int64_t count) const;

 private:
  MappedFile(std::string path, const uint8_t* data, int64_t size) : path_(std::move(path)), data_(data), size_(size) {}
  const std::string path_;
  const uint8_t* const data_;
  const int64_t size_;
};

/// A background thread that walks files from front to back, so that the disk is busy while the loader
/// packs, and the page table is filled from the second core. Stops when destroyed.
class ReadAhead {
 public:
  /// `files` outlive this object.
  explicit ReadAhead(std::vector<const MappedFile*> files);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

 private:
  void run();
  const std::vector<const MappedFile*> files_;
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: starts when everything else is ready
};

}  // namespace seraph
