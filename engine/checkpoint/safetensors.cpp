#include "engine/checkpoint/safetensors.h"

#include <simdjson.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "engine/base/json.h"

namespace seraph {
namespace {

using simdjson::dom::element;

constexpr int64_t kLengthBytes = 8;

struct DTypeBits {
  std::string_view name;
  int64_t bits;
};
// Every dtype of the format: a file may hold tensors that no model reads, and they are validated too.
constexpr std::array<DTypeBits, 20> kDTypes = {
    {{"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},    {"F8_E5M2", 8},
     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16}, {"BF16", 16}, {"I32", 32},
     {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},    {"I64", 64}, {"U64", 64}}};

Error corrupt(std::string message) {
  return Error{ErrorCode::kCorrupt, std::move(message), "download the file again or convert the checkpoint anew"};
}

Result<int64_t> read_count(element value, const std::string& name, std::string_view what) {
  uint64_t count = 0;
  if (value.get_uint64().get(count) != simdjson::SUCCESS || count > std::numeric_limits<int64_t>::max()) {
    return corrupt(fmt::format("tensor {}: {} must be a whole number of at least 0", in_quotes(name), what));
  }
  return static_cast<int64_t>(count);
}

Result<std::vector<int64_t>> read_counts(element tensor, const std::string& name, const char* key, size_t count_max) {
  simdjson::dom::array items;
  if (tensor[key].get_array().get(items) != simdjson::SUCCESS || items.size() > count_max) {
    return corrupt(fmt::format("tensor {}: {} must be a list of at most {} numbers", in_quotes(name), key, count_max));
  }
  std::vector<int64_t> out;
  for (element item : items) {
    SERAPH_ASSIGN_OR_RETURN(const int64_t count, read_count(item, name, key));
    out.push_back(count);
  }
  return out;
}

/// Bytes of a tensor, or -1 when they do not fit 63 bits or are no whole number of bytes.
int64_t size_bytes(const std::vector<int64_t>& shape, int64_t bits) {
  int64_t total = bits;
  for (const int64_t dim : shape) {
    if (__builtin_mul_overflow(total, dim, &total)) return -1;
  }
  return total % 8 == 0 ? total / 8 : -1;
}

Result<SafetensorsEntry> read_entry(std::string name, element tensor, int64_t data_begin, int64_t file_bytes) {
  std::string_view dtype;
  if (tensor["dtype"].get_string().get(dtype) != simdjson::SUCCESS) {
    return corrupt(fmt::format("tensor {} has no dtype", in_quotes(name)));
  }
  const auto* known = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const DTypeBits& d) { return d.name == dtype; });
  if (known == kDTypes.end()) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("tensor {} has the unknown dtype {}", in_quotes(name), in_quotes(dtype)),
                 "convert the checkpoint to BF16, F16 or F32"};
  }
  SERAPH_ASSIGN_OR_RETURN(auto shape, read_counts(tensor, name, "shape", kSafetensorsRankMax));
  SERAPH_ASSIGN_OR_RETURN(const auto offsets, read_counts(tensor, name, "data_offsets", 2));
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    return corrupt(fmt::format("tensor {}: data_offsets must be [begin, end] with begin <= end", in_quotes(name)));
  }
  if (offsets[1] > file_bytes - data_begin) {
    return corrupt(fmt::format("tensor {} ends at byte {} of the data, but the file has {}: it is truncated",
                               in_quotes(name), offsets[1], file_bytes - data_begin));
  }
  if (size_bytes(shape, known->bits) != offsets[1] - offsets[0]) {
    return corrupt(fmt::format("tensor {}: {} bytes do not hold {} of shape [{}]", in_quotes(name),
                               offsets[1] - offsets[0], dtype, fmt::join(shape, ", ")));
  }
  return SafetensorsEntry{.name = std::move(name),
                          .dtype = std::string(dtype),
                          .shape = std::move(shape),
                          .begin = data_begin + offsets[0],
                          .end = data_begin + offsets[1]};
}

Status check_metadata(element metadata) {
  simdjson::dom::object object;
  bool good = metadata.get_object().get(object) == simdjson::SUCCESS;
  if (good) {
    for (auto [key, value] : object) good = good && value.is_string();
  }
  if (!good) return corrupt("__metadata__ must map text to text");
  return {};
}

/// Sorts by place in the file and checks that the tensors cover all of the data exactly once.
Status check_coverage(std::vector<SafetensorsEntry>& entries, int64_t data_begin, int64_t file_bytes) {
  std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  int64_t at = data_begin;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin < at) return corrupt(fmt::format("tensor {} overlaps the one before it", in_quotes(entry.name)));
    if (entry.begin > at) {
      return corrupt(
          fmt::format("{} bytes before tensor {} belong to no tensor", entry.begin - at, in_quotes(entry.name)));
    }
    at = entry.end;
  }
  if (at != file_bytes) {
    return corrupt(fmt::format("the last tensor ends at byte {}, but the file has {}", at, file_bytes));
  }
  return {};
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out;
  append_json_string(out, text.substr(0, 100));
  return out;
}

Result<std::vector<SafetensorsEntry>> parse_safetensors_header(std::span<const uint8_t> bytes, int64_t file_bytes) {
  if (file_bytes < kLengthBytes || bytes.size() < static_cast<size_t>(kLengthBytes)) {
    return corrupt(fmt::format("the file has {} bytes and no room for a safetensors header", file_bytes));
  }
  uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) header_bytes = header_bytes << 8 | bytes[static_cast<size_t>(i)];
  if (std::memcmp(bytes.data(), "version ", 8) == 0) {
    return Error{ErrorCode::kCorrupt, "the file is a Git LFS pointer, not the weights",
                 "run `git lfs pull` in the folder"};
  }
  if (header_bytes > static_cast<uint64_t>(kSafetensorsHeaderBytesMax)) {
    return corrupt(fmt::format("the header claims {} bytes, the limit is {}: this is no safetensors file", header_bytes,
                               kSafetensorsHeaderBytesMax));
  }
  const int64_t data_begin = kLengthBytes + static_cast<int64_t>(header_bytes);
  if (data_begin > file_bytes || static_cast<size_t>(data_begin) > bytes.size()) {
    return corrupt(
        fmt::format("the header claims {} bytes, but the file has {}: it is truncated", header_bytes, file_bytes));
  }

  simdjson::dom::parser parser;
  simdjson::dom::object header;
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + kLengthBytes;
  if (const auto error = parser.parse(text, header_bytes).get_object().get(header); error != simdjson::SUCCESS) {
    return corrupt(fmt::format("the header is no JSON object ({})", simdjson::error_message(error)));
  }
  std::vector<SafetensorsEntry> entries;
  std::unordered_set<std::string> names;
  for (auto [key, value] : header) {
    std::string name(key);
    if (!names.insert(name).second) return corrupt(fmt::format("the header names {} twice", in_quotes(name)));
    if (name == "__metadata__") {
      SERAPH_RETURN_IF_ERROR(check_metadata(value));
      continue;
    }
    SERAPH_ASSIGN_OR_RETURN(auto entry, read_entry(std::move(name), value, data_begin, file_bytes));
    entries.push_back(std::move(entry));
  }
  SERAPH_RETURN_IF_ERROR(check_coverage(entries, data_begin, file_bytes));
  return entries;
}

}  // namespace seraph
