// The kernels for AVX-512 with BF16. Compiled with those flags: see CMakeLists.txt.
#define SERAPH_ISA avx512bf16
#define SERAPH_ISA_AVX512 1
#define SERAPH_ISA_BF16 1
#include "kernels/cpu/ops/attention.h"
#include "kernels/cpu/ops/linear.h"
#include "kernels/cpu/ops/logits.h"
#include "kernels/cpu/ops/table.h"

namespace seraph::cpu {

const Kernels& avx512bf16_kernels() {
  static constexpr Kernels kTable = avx512bf16::make_table("AVX-512 with BF16");
  return kTable;
}

}  // namespace seraph::cpu
