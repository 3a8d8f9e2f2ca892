// Speed of the CPU kernels as ratios of what the machine can do: steps of a model of the shape of
// Qwen2.5-0.5B without an engine around them, the head of a tiny model, and sampling.
//   bench_kernels [--threads N] [--isa avx2|avx512|avx512bf16] [--dtype bf16|f16|f32] [--only WORD]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "tests/bench/kernels/roof.h"

namespace seraph::bench {
namespace {

struct Options {
  int32_t threads = 0;
  std::string isa;
  DType compute = DType::kBf16;
  std::string only;
};

struct Shape {
  int32_t hidden = 896;
  int32_t intermediate = 4864;
  int32_t layers = 24;
  int32_t heads = 14;
  int32_t kv_heads = 2;
  int32_t head_dim = 64;
  int32_t vocab = 151936;
};

/// The operations of a decoder's step on random weights.
class Model {
 public:
  Model(Backend& backend, const Shape& shape, DType compute, int32_t rows_max, int32_t sequences, int32_t context_max)
      : backend_(backend), shape_(shape), types_(backend.activation_types(compute)) {
    const int32_t qkv = (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
    for (int32_t l = 0; l < shape.layers; ++l) {
      Layer layer;
      layer.qkv = backend.pack_random(qkv, shape.hidden, compute, 0.02F, 1);
      layer.out = backend.pack_random(shape.hidden, shape.heads * shape.head_dim, compute, 0.02F, 2);
      layer.gate_up = pack_gate_up(compute);
      layer.down = backend.pack_random(shape.hidden, shape.intermediate, compute, 0.02F, 3);
      layers_.push_back(std::move(layer));
    }
    table_ = backend.pack_random(shape.vocab, shape.hidden, compute, 0.02F, 4);
    ones_.assign(static_cast<size_t>(std::max(shape.hidden, qkv)), 1.0F);
    residual_ = make(types_.residual, rows_max, shape.hidden);
    normed_ = make(types_.input, rows_max, shape.hidden);
    qkv_ = make(types_.output, rows_max, qkv);
    attended_ = make(types_.input, rows_max, shape.heads * shape.head_dim);
    activated_ = make(types_.input, rows_max, shape.intermediate);
    logits_ = make(DType::kF32, std::min(rows_max, 64), shape.vocab);
    cos_sin_.assign(static_cast<size_t>(rows_max) * static_cast<size_t>(shape.head_dim), 0.7F);
    cache_.shape = {shape.layers, shape.kv_heads, shape.head_dim, 16, types_.kv};
    blocks_per_sequence_ = (context_max + 15) / 16;
    cache_.num_blocks = blocks_per_sequence_ * sequences;
    cache_.storage = backend.allocate(backend.kv_block_bytes(cache_.shape) * cache_.num_blocks);
    for (int32_t b = 0; b < cache_.num_blocks; ++b) tables_.push_back(b);
    backend.plan_scratch({.rows_max = rows_max, .cols_max = shape.vocab});
  }

  int64_t bytes() const {
    int64_t sum = table_->bytes();
    for (const Layer& l : layers_) sum += l.qkv->bytes() + l.out->bytes() + l.gate_up->bytes() + l.down->bytes();
    return sum;
  }
  /// Multiply-adds of the matrices for one row, without and with the head.
  double layer_macs() const {
    const double attention = (2.0 * shape_.heads + 2.0 * shape_.kv_heads) * shape_.head_dim * shape_.hidden;
    return shape_.layers * (attention + 3.0 * shape_.hidden * shape_.intermediate);
  }
  double head_macs() const { return static_cast<double>(shape_.vocab) * shape_.hidden; }

  /// Each of `sequences` adds `rows` tokens to a context of `context`; the last row of each gets logits.
  Tensor step(int32_t sequences, int32_t rows, int32_t context) {
    std::vector<int32_t> ids, slots, row_begin{0}, contexts, last;
    for (int32_t s = 0; s < sequences; ++s) {
      for (int32_t r = 0; r < rows; ++r) {
        ids.push_back((s * 131 + r * 17) % shape_.vocab);
        slots.push_back(s * blocks_per_sequence_ * 16 + context + r);
      }
      row_begin.push_back(row_begin.back() + rows);
      contexts.push_back(context + rows);
      last.push_back(row_begin.back() - 1);
    }
    const int64_t t = row_begin.back();
    backend_.embed({ids, table_.get(), residual_.first_rows(t)});
    for (int32_t l = 0; l < shape_.layers; ++l) {
      const Layer& layer = layers_[static_cast<size_t>(l)];
      norm(t);
      linear(normed_, *layer.qkv, LinearArgs::Epilogue::kStore, qkv_, t);
      backend_.rope_cache_write({.qkv = qkv_.first_rows(t),
                                 .cos_sin = cos_sin_.data(),
                                 .rotary_dim = shape_.head_dim,
                                 .num_heads = shape_.heads,
                                 .slots = slots,
                                 .cache = &cache_,
                                 .layer = l});
      backend_.attention({.q = qkv_.first_rows(t).columns(0, shape_.heads * shape_.head_dim),
                          .out = attended_.first_rows(t),
                          .cache = &cache_,
                          .layer = l,
                          .num_heads = shape_.heads,
                          .scale = 0.125F,
                          .row_begin = row_begin,
                          .context_tokens = contexts,
                          .block_tables = tables_,
                          .blocks_stride = blocks_per_sequence_});
      linear(attended_, *layer.out, LinearArgs::Epilogue::kAccumulate, residual_, t);
      norm(t);
      linear(normed_, *layer.gate_up, LinearArgs::Epilogue::kSiluMul, activated_, t);
      linear(activated_, *layer.down, LinearArgs::Epilogue::kAccumulate, residual_, t);
    }
    backend_.gather_rows(residual_.first_rows(t), last, residual_.first_rows(sequences));
    norm(sequences);
    linear(normed_, *table_, LinearArgs::Epilogue::kStore, logits_, sequences);
    return logits_.first_rows(sequences);
  }

 private:
  struct Layer {
    std::unique_ptr<Weight> qkv, out, gate_up, down;
  };

  std::unique_ptr<Weight> pack_gate_up(DType compute) {
    std::mt19937 engine(7);
    std::vector<uint16_t> half(static_cast<size_t>(shape_.intermediate) * static_cast<size_t>(shape_.hidden));
    for (uint16_t& v : half) v = static_cast<uint16_t>(0x3C00U + (engine() & 0x80FFU));  // about 0.01, both signs
    const HostMatrix part = {half.data(), DType::kBf16, shape_.intermediate, shape_.hidden};
    const HostMatrix parts[] = {part, part};
    return backend_.pack({parts, compute, true});
  }
  Tensor make(DType dtype, int64_t rows, int64_t cols) {
    buffers_.push_back(backend_.allocate(rows * cols * dtype_bytes(dtype)));
    return {buffers_.back().data(), dtype, rows, cols, cols};
  }
  void norm(int64_t t) {
    backend_.rms_norm({residual_.first_rows(t), ones_.data(), shape_.hidden, 1e-6F, normed_.first_rows(t)});
  }
  void linear(const Tensor& x, const Weight& weight, LinearArgs::Epilogue epilogue, const Tensor& out, int64_t t) {
    backend_.linear({x.first_rows(t), &weight, nullptr, epilogue, out.first_rows(t)});
  }

  Backend& backend_;
  const Shape shape_;
  const ActivationTypes types_;
  std::vector<Layer> layers_;
  std::unique_ptr<Weight> table_;
  std::vector<float> ones_;
  std::vector<Buffer> buffers_;
  Tensor residual_, normed_, qkv_, attended_, activated_, logits_;
  std::vector<float> cos_sin_;
  KvCache cache_;
  int32_t blocks_per_sequence_ = 0;
  std::vector<int32_t> tables_;
};

struct Bench {
  /// Seconds of `work`, the fastest tenth of half a second of runs: what others do on the machine shows less.
  template <typename Work>
  double time(const Work& work) const {
    work();
    std::vector<double> times;
    const double end = seconds(own_clock) + 0.5;
    while (times.size() < 5 || (seconds(own_clock) < end && times.size() < 1000)) {
      const double begin = seconds(own_clock);
      work();
      times.push_back(seconds(own_clock) - begin);
    }
    const size_t tenth = times.size() / 10;
    std::nth_element(times.begin(), times.begin() + static_cast<int64_t>(tenth), times.end());
    return times[tenth];
  }
  /// Of the instruction that linear() multiplies with.
  double multiply_roof() const {
    const bool bf16 = backend.activation_types(compute).input == DType::kBf16;
    return bf16 ? roof.bf16_gflop_s : roof.f32_gflop_s;
  }

  Backend& backend;
  DType compute;
  Roof roof;
  bool own_clock;
};

void bench_model(const Bench& bench) {
  const Shape shape;
  Model model(bench.backend, shape, bench.compute, 512, 32, 1024);
  const double peak = bench.multiply_roof();
  for (const int32_t batch : {1, 2, 4, 8, 16, 32}) {
    const double time = bench.time([&] { model.step(batch, 1, 128); });
    const double gflop = 2e-9 * batch * (model.layer_macs() + model.head_macs());
    const double gb = static_cast<double>(model.bytes()) * 1e-9;
    std::printf("decode  batch %2d    %8.2f ms  %8.1f tok/s  %5.2f of read roof  %5.2f of multiply roof\n", batch,
                time * 1e3, batch / time, gb / time / bench.roof.read_gb_s, gflop / time / peak);
  }
  for (const int32_t rows : {64, 128, 512}) {
    const double time = bench.time([&] { model.step(1, rows, 0); });
    const double gflop = 2e-9 * (rows * model.layer_macs() + model.head_macs());
    std::printf("prefill %3d tokens  %8.2f ms  %8.1f tok/s  %5.2f of multiply roof\n", rows, time * 1e3, rows / time,
                gflop / time / peak);
  }
}

void bench_linear(const Bench& bench) {
  const double peak = bench.multiply_roof();
  const DType input = bench.backend.activation_types(bench.compute).input;
  for (const auto& [k, n] : {std::pair{896, 1152}, {896, 9728}, {4864, 896}, {896, 151936}, {64, 151936}}) {
    const auto weight = bench.backend.pack_random(n, k, bench.compute, 0.02F, 1);
    for (const int64_t rows : {1, 2, 4, 8, 12, 16, 32, 64, 512}) {
      if (rows * n > 40'000'000) continue;
      const Buffer x = bench.backend.allocate(rows * k * dtype_bytes(input));
      const Buffer out = bench.backend.allocate(rows * n * 4);
      const double time = bench.time([&] {
        bench.backend.linear({{x.data(), input, rows, k, k},
                              weight.get(),
                              nullptr,
                              LinearArgs::Epilogue::kStore,
                              {out.data(), DType::kF32, rows, n, n}});
      });
      std::printf("linear %4d x %6d rows %3d  %9.1f us  %6.1f GB/s of weights (%4.2f)  %7.1f Gflop/s (%4.2f)\n", k, n,
                  static_cast<int>(rows), time * 1e6, static_cast<double>(weight->bytes()) / time * 1e-9,
                  static_cast<double>(weight->bytes()) / time * 1e-9 / bench.roof.read_gb_s,
                  2e-9 * static_cast<double>(rows) * k * n / time,
                  2e-9 * static_cast<double>(rows) * k * n / time / peak);
    }
  }
}

void bench_tiny(const Bench& bench) {
  const Shape shape = {64, 128, 2, 4, 2, 16, 151936};
  Model model(bench.backend, shape, bench.compute, 64, 32, 256);
  std::vector<SampleRow> rows(32);
  std::vector<SampleResult> results(32);
  for (int32_t i = 0; i < 32; ++i) rows[static_cast<size_t>(i)].logit_row = i;
  const double forward = bench.time([&] { model.step(32, 1, 100); });
  const double both = bench.time([&] {
    const Tensor logits = model.step(32, 1, 100);
    bench.backend.sample({logits, shape.vocab, rows, results});
  });
  std::printf("tiny model, 32 rows: forward %.2f ms, with greedy sampling %.2f ms\n", forward * 1e3, both * 1e3);
}

void bench_sampling(const Bench& bench) {
  constexpr int32_t kVocab = 151936;
  constexpr int32_t kRows = 8;
  const Buffer memory = bench.backend.allocate(int64_t{kRows} * kVocab * 4);
  const Buffer source = bench.backend.allocate(int64_t{kVocab} * 4);
  bench.backend.plan_scratch({.rows_max = 64, .cols_max = kVocab});
  auto* base = static_cast<float*>(source.data());
  std::vector<SampledLogprob> logprobs(kRows * 21);
  for (const auto& [shape, spread] : {std::pair{"flat", 1.0F}, {"peaked", 4.0F}}) {
    std::mt19937 engine(3);
    std::normal_distribution<float> normal(0.0F, spread);
    for (int32_t i = 0; i < kVocab; ++i) base[i] = normal(engine);
    const auto report = [&](const char* what, const SampleRow& row) {
      std::vector<SampleRow> rows(kRows, row);
      std::vector<SampleResult> results(kRows);
      for (size_t i = 0; i < kRows; ++i) {
        rows[i].logit_row = static_cast<int32_t>(i);
        rows[i].seed = i;
        results[i].logprobs = std::span(logprobs).subspan(i * 21, 21);
      }
      const auto copy = [&] {
        for (int32_t r = 0; r < kRows; ++r)
          std::memcpy(static_cast<float*>(memory.data()) + r * kVocab, base, kVocab * 4);
      };
      const double idle = bench.time(copy);
      const double time = bench.time([&] {
        copy();
        bench.backend.sample({{memory.data(), DType::kF32, kRows, kVocab, kVocab}, kVocab, rows, results});
      });
      std::printf("sample %-6s %-22s %8.1f us a row\n", shape, what, (time - idle) / kRows * 1e6);
    };
    report("greedy", {});
    report("greedy, 5 logprobs", {.num_logprobs = 5});
    report("temperature 1", {.temperature = 1.0F});
    report("temperature 0.7", {.temperature = 0.7F});
    report("top_p 0.9", {.temperature = 0.8F, .top_p = 0.9F});
    report("top_k 20, top_p 0.8", {.temperature = 0.7F, .top_k = 20, .top_p = 0.8F});
    report("min_p 0.05", {.temperature = 1.0F, .min_p = 0.05F});
  }
}

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    const std::string value = argv[i + 1];
    if (key == "--threads") options.threads = std::atoi(value.c_str());
    if (key == "--isa") options.isa = value;
    if (key == "--only") options.only = value;
    if (key == "--dtype") options.compute = value == "f32" ? DType::kF32 : value == "f16" ? DType::kF16 : DType::kBf16;
  }
  std::string error;
  const auto backend = make_cpu_backend({.threads = options.threads, .isa_max = options.isa}, error);
  if (backend == nullptr) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 2;
  }
  const std::string name = backend->name();
  const int32_t threads = std::max(1, std::atoi(name.c_str() + name.rfind(", ") + 2));
  const Roof roof = measure_roof(threads);
  const Bench bench = {*backend, options.compute, roof, threads == 1};
  std::printf("%s\nroof: read %.1f GB/s, bf16 %.0f Gflop/s, f32 %.0f Gflop/s\n", name.c_str(), roof.read_gb_s,
              roof.bf16_gflop_s, roof.f32_gflop_s);
  const auto wanted = [&](const char* what) { return options.only.empty() || options.only == what; };
  if (wanted("linear")) bench_linear(bench);
  if (wanted("model")) bench_model(bench);
  if (wanted("tiny")) bench_tiny(bench);
  if (wanted("sampling")) bench_sampling(bench);
  return 0;
}

}  // namespace
}  // namespace seraph::bench

int main(int argc, char** argv) { return seraph::bench::main(argc, argv); }
