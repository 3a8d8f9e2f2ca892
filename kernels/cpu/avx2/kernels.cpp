// The kernels for AVX2 with FMA and F16C. Compiled with those flags: see CMakeLists.txt.
#define SERAPH_ISA avx2
#define SERAPH_ISA_AVX512 0
#define SERAPH_ISA_BF16 0
#include "kernels/cpu/ops/attention.h"
#include "kernels/cpu/ops/linear.h"
#include "kernels/cpu/ops/logits.h"
#include "kernels/cpu/ops/table.h"

namespace seraph::cpu {

const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = avx2::make_table("AVX2 with FMA and F16C");
  return kTable;
}

}  // namespace seraph::cpu
