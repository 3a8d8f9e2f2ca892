// The header of a safetensors file, as a pure function over bytes: nothing is opened, nothing below the
// header is read. A file is
//   8 bytes   N, the header's length, little endian
//   N bytes   JSON: {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
//             "__metadata__": {"key": "text"}}; may end in spaces
//   the rest  the tensors' bytes, row-major; offsets count from here
// What comes back has been validated as a whole: known dtypes, sizes that fit shapes, and tensors that
// cover the rest of the file without a hole or an overlap. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace seraph {

/// The longest header that is read: the limit of the reference library.
inline constexpr int64_t kSafetensorsHeaderBytesMax = 100'000'000;
/// Tensors of more dimensions than this do not exist in checkpoints.
inline constexpr size_t kSafetensorsRankMax = 16;

struct SafetensorsEntry {
  std::string name;
  std::string dtype;           // as written: "BF16"
  std::vector<int64_t> shape;  // empty: a scalar
  int64_t begin = 0;           // bytes from the start of the file
  int64_t end = 0;
};

/// The tensors in file order. `bytes` is the start of the file, at least its length word and header (or
/// all of it); `file_bytes` is the size of the whole file. Errors: kCorrupt, kUnsupported (a dtype of
/// another world); messages name the tensor, the caller adds the file.
Result<std::vector<SafetensorsEntry>> parse_safetensors_header(std::span<const uint8_t> bytes, int64_t file_bytes);

/// A foreign name or value for a message: quoted, escaped, at most 100 bytes of it.
std::string in_quotes(std::string_view text);

}  // namespace seraph
