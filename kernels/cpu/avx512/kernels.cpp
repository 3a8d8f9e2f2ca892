// The kernels for AVX-512 (F, BW, DQ, VL). Compiled with those flags: see CMakeLists.txt.
#define SERAPH_ISA avx512
#define SERAPH_ISA_AVX512 1
#define SERAPH_ISA_BF16 0
#include "kernels/cpu/ops/attention.h"
#include "kernels/cpu/ops/linear.h"
#include "kernels/cpu/ops/logits.h"
#include "kernels/cpu/ops/table.h"

namespace seraph::cpu {

const Kernels& avx512_kernels() {
  static constexpr Kernels kTable = avx512::make_table("AVX-512 (F, BW, DQ, VL)");
  return kTable;
}

}  // namespace seraph::cpu
