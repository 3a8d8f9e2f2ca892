#include "kernels/cuda/device_weight.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/cuda/types.h"

namespace seraph::cuda {
namespace {

constexpr int64_t kGroupRows = 8;  // gate and up alternate in groups of so many rows; inputs are read so many at once
constexpr int64_t kPieceBytes = int64_t{16} << 20;

int64_t rounded_up(int64_t count) { return (count + kGroupRows - 1) / kGroupRows * kGroupRows; }

/// Where the values of a bias begin in each type, and where they end.
struct BiasLayout {
  explicit BiasLayout(int64_t count)
      : f16(aligned(count * 4)), bf16(f16 + aligned(count * 2)), bytes(bf16 + count * 2) {}
  int64_t f16;
  int64_t bf16;
  int64_t bytes;

 private:
  static int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }
};

}  // namespace

DeviceWeight::DeviceWeight(int64_t rows, int64_t cols, DType dtype, bool gate_up)
    : rows_(rows),
      cols_(cols),
      gate_up_(gate_up),
      num_outputs_(gate_up ? 2 * rounded_up(rows / 2) : rows),
      layout_(plan_linear_weight(num_outputs_, cols, dtype)) {}

bool DeviceWeight::allocate(StreamWork& work) {
  storage_ = work.allocate(linear_weight_bytes(layout_));
  layout_.data = storage_.data();
  return layout_.data != nullptr;
}

LinearWeight DeviceWeight::product() const {
  LinearWeight out = layout_;
  out.cols = rounded_up(cols_);
  return out;
}

/// Whole groups of rows at a time; the last group is filled up with rows of zeros.
bool WeightPacker::pack_part(const HostMatrix& part, const DeviceWeight& weight, int64_t first_row) {
  const int64_t row_bytes = part.cols * dtype_bytes(part.dtype);
  const int64_t rows_at_once = std::max(kPieceBytes / row_bytes / kGroupRows, int64_t{1}) * kGroupRows;
  if (!work_.reserve(source_, std::max(kPieceBytes, rows_at_once * row_bytes))) return false;
  for (int64_t begin = 0; begin < part.rows; begin += rows_at_once) {
    const int64_t rows = std::min(rows_at_once, part.rows - begin);
    const int64_t packed_rows = weight.gate_up() ? rounded_up(rows) : rows;
    auto* source = static_cast<char*>(source_.data());
    staging_.copy(source, static_cast<const char*>(part.data) + begin * row_bytes, rows * row_bytes);
    work_.fill_zero(source + rows * row_bytes, (packed_rows - rows) * row_bytes);
    if (work_.failed()) return false;
    work_.check(pack_linear({.source = source,
                             .dtype = part.dtype,
                             .rows = packed_rows,
                             .weight = weight.layout(),
                             .first_row = first_row + (weight.gate_up() ? 2 * begin : begin),
                             .interleaved = weight.gate_up()},
                            work_.stream()));
  }
  return !work_.failed();
}

std::unique_ptr<DeviceWeight> WeightPacker::pack(const PackArgs& args) {
  int64_t rows = 0;
  for (const HostMatrix& part : args.parts) rows += part.rows;
  auto weight = std::make_unique<DeviceWeight>(rows, args.parts[0].cols, args.compute, args.gate_up);
  if (!weight->allocate(work_)) return nullptr;
  int64_t first_row = 0;
  for (const HostMatrix& part : args.parts) {
    if (!pack_part(part, *weight, first_row)) return nullptr;
    first_row += args.gate_up ? kGroupRows : part.rows;
  }
  return weight;
}

const void* bias_of_type(const float* bias, int64_t count, DType dtype) {
  const BiasLayout layout(count);
  const int64_t begin = dtype == DType::kF32 ? 0 : dtype == DType::kF16 ? layout.f16 : layout.bf16;
  return reinterpret_cast<const char*>(bias) + begin;
}

Buffer WeightPacker::pack_bias(std::span<const float> values, bool gate_up) {
  const auto half = static_cast<int64_t>(values.size() / 2);
  const int64_t count = gate_up ? 2 * rounded_up(half) : static_cast<int64_t>(values.size());
  const BiasLayout layout(count);
  std::vector<char> ordered(static_cast<size_t>(layout.bytes));
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
    const int64_t row = gate_up && i >= half ? i - half : i;
    const int64_t group = i >= half ? kGroupRows : 0;
    const int64_t to = gate_up ? row / kGroupRows * 2 * kGroupRows + group + row % kGroupRows : i;
    const float value = values[static_cast<size_t>(i)];
    const half_t as_f16 = from_float<half_t>(value);
    const bf16_t as_bf16 = from_float<bf16_t>(value);
    std::memcpy(ordered.data() + to * 4, &value, sizeof(value));
    std::memcpy(ordered.data() + layout.f16 + to * 2, &as_f16, sizeof(as_f16));
    std::memcpy(ordered.data() + layout.bf16 + to * 2, &as_bf16, sizeof(as_bf16));
  }
  Buffer bias = work_.allocate(layout.bytes);
  if (bias.data() != nullptr) staging_.copy(bias.data(), ordered.data(), bias.bytes());
  return bias;
}

}  // namespace seraph::cuda
