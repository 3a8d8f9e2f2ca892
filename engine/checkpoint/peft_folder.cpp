#include "engine/checkpoint/peft_folder.h"

#include <spdlog/fmt/fmt.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>

#include "engine/base/text_link.h"
#include "engine/checkpoint/config_reader.h"
#include "engine/checkpoint/peft_config.h"
#include "engine/checkpoint/safetensors.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigName = "/adapter_config.json";
constexpr const char* kWeightsName = "/adapter_model.safetensors";
constexpr const char* kSaveAgain = "save the adapter again with PEFT's save_pretrained()";
constexpr float kHalfMax = 65504.0F;

Error corrupt(std::string message) { return Error{ErrorCode::kCorrupt, std::move(message), kSaveAgain}; }

/// A regular file of at most so many bytes: a pipe would block for ever.
template <typename Bytes>
Result<Bytes> read_file(const std::string& path, int64_t bytes_max) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return corrupt(path + " is not a file");
  const auto size = static_cast<int64_t>(fs::file_size(path, error));
  if (error) return Error{ErrorCode::kIo, fmt::format("cannot read {}: {}", path, error.message())};
  if (size > bytes_max) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{} has {} bytes, an adapter of this model has at most {}", path, size, bytes_max),
                 "raise --max-lora-rank if its rank is larger"};
  }
  Bytes bytes(static_cast<size_t>(size), {});
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), size);
  if (!file || file.gcount() != size) return Error{ErrorCode::kIo, "cannot read " + path, "check its permissions"};
  return bytes;
}

/// Without the names that wrappers put in front: PEFT's, as often as it was wrapped, and torch.compile's anywhere.
std::string without_wrappers(std::string name) {
  constexpr std::string_view kCompiled = "_orig_mod.";
  for (size_t at = name.find(kCompiled); at != std::string::npos; at = name.find(kCompiled, at)) {
    if (at == 0 || name[at - 1] == '.') {
      name.erase(at, kCompiled.size());
    } else {
      at += kCompiled.size();
    }
  }
  constexpr std::string_view kPeft = "base_model.model.";
  size_t begin = 0;
  while (std::string_view(name).substr(begin).starts_with(kPeft)) begin += kPeft.size();
  return name.substr(begin);
}

struct TensorName {
  std::string module;
  bool is_a = false;
};

/// Nothing for what is no LoRA matrix: REST is "weight", or an adapter's name before it.
std::optional<TensorName> parse_name(const std::string& text) {
  const std::string name = without_wrappers(text);
  constexpr std::string_view kMark = ".lora_";
  const size_t mark = name.rfind(kMark);
  if (mark == std::string::npos || mark == 0) return std::nullopt;
  const std::string_view rest = std::string_view(name).substr(mark + kMark.size());
  const bool is_a = rest.starts_with("A.");
  if (!is_a && !rest.starts_with("B.")) return std::nullopt;
  const std::string_view tail = rest.substr(2);
  const size_t dot = tail.find('.');
  const bool plain = tail == "weight";
  const bool named = dot != std::string_view::npos && dot > 0 && tail.substr(dot + 1) == "weight";
  if (!plain && !named) return std::nullopt;
  return TensorName{name.substr(0, mark), is_a};
}

/// A finite value whose size 16 bits hold, for every element.
bool all_in_range(const HostMatrix& matrix) {
  const int64_t count = matrix.rows * matrix.cols;
  if (matrix.dtype == DType::kF32) {
    const auto* values = static_cast<const float*>(matrix.data);
    for (int64_t i = 0; i < count; ++i) {
      if (!(std::abs(values[i]) <= kHalfMax)) return false;
    }
    return true;
  }
  const auto* halves = static_cast<const uint16_t*>(matrix.data);
  for (int64_t i = 0; i < count; ++i) {
    if (matrix.dtype == DType::kF16 && (halves[i] & 0x7C00) == 0x7C00) return false;
    const float value = std::bit_cast<float>(static_cast<uint32_t>(halves[i]) << 16);
    if (matrix.dtype == DType::kBf16 && !(std::abs(value) <= kHalfMax)) return false;
  }
  return true;
}

std::optional<DType> dtype_of(std::string_view name) {
  if (name == "BF16") return DType::kBf16;
  if (name == "F16") return DType::kF16;
  if (name == "F32") return DType::kF32;
  return std::nullopt;
}

uint64_t hash_of(std::string_view bytes) { return std::hash<std::string_view>()(bytes); }

}  // namespace

/// Fills a folder from the contents of its files; the first error ends it.
class PeftReader {
 public:
  PeftReader(std::string path, const PeftConfig& config, const PeftLimits& limits, PeftFolder& out)
      : path_(std::move(path)), config_(config), limits_(limits), out_(out) {}

  Status read() {
    const std::span<const uint8_t> file = out_.file_;
    auto entries = parse_safetensors_header(file, static_cast<int64_t>(file.size()));
    if (!entries.ok()) {
      entries.error().message = path_ + ": " + entries.error().message;
      return entries.error();
    }
    for (const SafetensorsEntry& entry : *entries) SERAPH_RETURN_IF_ERROR(take(entry));
    if (pairs_.empty()) return corrupt(path_ + " holds no LoRA matrices");
    for (const auto& [module, pair] : pairs_) SERAPH_RETURN_IF_ERROR(finish(module, pair));
    return {};
  }

 private:
  struct Pair {
    const SafetensorsEntry* a = nullptr;
    const SafetensorsEntry* b = nullptr;
    HostMatrix matrix_a, matrix_b;
  };

  Error wrong(std::string_view tensor, std::string_view what) const {
    return corrupt(fmt::format("{}: tensor {} {}", path_, in_quotes(tensor), what));
  }

  Status take(const SafetensorsEntry& entry) {
    const auto name = parse_name(entry.name);
    if (!name) return wrong(entry.name, "is no LoRA matrix of a linear layer, and nothing else can be applied");
    Pair& pair = pairs_[name->module];
    HostMatrix& matrix = name->is_a ? pair.matrix_a : pair.matrix_b;
    if (matrix.data != nullptr) {
      return wrong(entry.name, fmt::format("gives {} another time", in_quotes(name->module)));
    }
    if (entry.shape.size() != 2 || entry.shape[0] < 1 || entry.shape[1] < 1) {
      return wrong(entry.name, fmt::format("has shape [{}], a LoRA matrix has two dimensions of at least 1",
                                           fmt::join(entry.shape, ", ")));
    }
    const auto dtype = dtype_of(entry.dtype);
    if (!dtype) return wrong(entry.name, fmt::format("is {}, readable are BF16, F16 and F32", entry.dtype));
    matrix = HostMatrix{place(entry, dtype_bytes(*dtype)), *dtype, entry.shape[0], entry.shape[1]};
    if (!all_in_range(matrix)) {
      return wrong(entry.name, "holds a value that is not finite, or beyond the 65504 that 16 bits hold");
    }
    return {};
  }

  /// The format lets a tensor begin at any byte; such a one is copied.
  const void* place(const SafetensorsEntry& entry, int64_t alignment) {
    const uint8_t* data = out_.file_.data() + entry.begin;
    if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(alignment) == 0) return data;
    out_.bytes_ += entry.end - entry.begin;
    return out_.copies_.emplace_back(data, data + (entry.end - entry.begin)).data();
  }

  Status finish(const std::string& module, const Pair& pair) {
    const HostMatrix& a = pair.matrix_a;
    const HostMatrix& b = pair.matrix_b;
    if (a.data == nullptr || b.data == nullptr) {
      return corrupt(fmt::format("{}: {} has lora_{} but not lora_{}", path_, in_quotes(module),
                                 a.data == nullptr ? 'B' : 'A', a.data == nullptr ? 'A' : 'B'));
    }
    if (a.rows != b.cols) {
      return corrupt(
          fmt::format("{}: {} has rank {} in lora_A and {} in lora_B", path_, in_quotes(module), a.rows, b.cols));
    }
    if (const int64_t rank = config_.rank_of(module); rank != a.rows) {
      return corrupt(
          fmt::format("{}: {} has rank {}, adapter_config.json says {}", path_, in_quotes(module), a.rows, rank));
    }
    if (a.rows > limits_.rank_max) {
      return Error{
          ErrorCode::kUnsupported,
          fmt::format("{}: {} has rank {}, --max-lora-rank is {}", path_, in_quotes(module), a.rows, limits_.rank_max),
          fmt::format("start the server with --max-lora-rank {}", a.rows)};
    }
    out_.rank_max_ = std::max(out_.rank_max_, static_cast<int32_t>(a.rows));
    out_.modules_.push_back({.name = module, .a = a, .b = b, .scale = config_.scale_of(module)});
    return {};
  }

  const std::string path_;
  const PeftConfig& config_;
  const PeftLimits limits_;
  PeftFolder& out_;
  std::map<std::string, Pair> pairs_;
};

Result<std::unique_ptr<const PeftFolder>> PeftFolder::parse(const std::string& dir, std::string_view config,
                                                            std::vector<uint8_t> file, const PeftLimits& limits) {
  const std::string config_path = dir + kConfigName;
  auto object = Json::parse(config);
  if (!object.ok()) return corrupt(config_path + ": " + object.error().message);
  if (!object->is_object()) return corrupt(config_path + " must hold one JSON object");
  SERAPH_ASSIGN_OR_RETURN(const PeftConfig settings, read_peft_config(*object, config_path));
  std::unique_ptr<PeftFolder> folder(new PeftFolder);
  folder->version_ = hash_of({reinterpret_cast<const char*>(file.data()), file.size()}) * 31 + hash_of(config);
  folder->bytes_ = static_cast<int64_t>(file.size());
  folder->file_ = std::move(file);
  SERAPH_RETURN_IF_ERROR(PeftReader(dir + kWeightsName, settings, limits, *folder).read());
  return std::unique_ptr<const PeftFolder>(std::move(folder));
}

Result<std::unique_ptr<const PeftFolder>> PeftFolder::open(const std::string& dir, const PeftLimits& limits) {
  std::error_code ignored;
  if (!fs::exists(dir + kConfigName, ignored)) {
    return Error{ErrorCode::kNotFound, fmt::format("there is no adapter in {}: no adapter_config.json", dir),
                 "give the folder that PEFT's save_pretrained() wrote"};
  }
  if (!fs::exists(dir + kWeightsName, ignored)) {
    const bool pickled = fs::exists(dir + "/adapter_model.bin", ignored);
    return Error{
        pickled ? ErrorCode::kUnsupported : ErrorCode::kCorrupt,
        dir + (pickled ? " holds adapter_model.bin only, a Python pickle, which is not read"
                       : " is incomplete: no adapter_model.safetensors"),
        pickled ? "save the adapter as safetensors: save_pretrained(..., safe_serialization=True)" : kSaveAgain};
  }
  SERAPH_ASSIGN_OR_RETURN(const auto config, read_file<std::string>(dir + kConfigName, kPeftConfigBytesMax));
  SERAPH_ASSIGN_OR_RETURN(auto file,
                          read_file<std::vector<uint8_t>>(follow_text_link(dir + kWeightsName), limits.file_bytes_max));
  return parse(dir, config, std::move(file), limits);
}

}  // namespace seraph
