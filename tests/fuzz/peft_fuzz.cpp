// PEFT adapters: a config and a weights file, separated by a zero byte, give modules whose matrices lie in memory and
// fit each other, or an error.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/checkpoint/peft_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const uint8_t* end = data + size;
  const uint8_t* zero = std::find(data, end, 0);
  const std::string config(data, zero);
  std::vector<uint8_t> file(zero == end ? end : zero + 1, end);
  const auto folder =
      seraph::PeftFolder::parse("DIR", config, std::move(file), {.rank_max = 64, .file_bytes_max = 1 << 20});
  if (!folder.ok()) return 0;
  if ((*folder)->modules().empty()) std::abort();
  for (const seraph::PeftModule& module : (*folder)->modules()) {
    if (module.a.rows != module.b.cols || module.a.rows < 1 || module.a.rows > 64) std::abort();
    if (!std::isfinite(module.scale) || module.name.empty()) std::abort();
    uint64_t sum = 0;
    for (const seraph::HostMatrix& matrix : {module.a, module.b}) {
      const auto* bytes = static_cast<const uint8_t*>(matrix.data);
      const int64_t count = matrix.rows * matrix.cols * seraph::dtype_bytes(matrix.dtype);
      for (int64_t i = 0; i < count; ++i) sum += bytes[i];
    }
    if (sum == 1) return 0;
  }
  return 0;
}
