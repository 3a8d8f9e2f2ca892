// safetensors headers: any bytes give a list of tensors that lie in the file, or an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The file behind the header is pretended, its size drawn from the input, so that headers with data parse.
  const int64_t file_bytes = static_cast<int64_t>(size) + (size > 0 ? data[size - 1] : 0);
  const auto entries = seraph::parse_safetensors_header({data, size}, file_bytes);
  if (!entries.ok()) return 0;
  int64_t end = 8;
  for (const auto& entry : *entries) {
    if (entry.begin < end || entry.end < entry.begin || entry.end > file_bytes) std::abort();
    end = entry.end;
  }
  return 0;
}
