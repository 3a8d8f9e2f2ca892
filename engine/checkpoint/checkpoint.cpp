#include "engine/checkpoint/checkpoint.h"

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "engine/base/text_link.h"
#include "engine/checkpoint/config_reader.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/safetensors.h"

namespace seraph {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDownloadAgain = "download the model folder again";

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Error prefixed(Error error, const std::string& path) {
  error.message = path + ": " + error.message;
  return error;
}

/// The dtype of the kernels, or nothing for what no layer can be made of.
std::optional<DType> weight_dtype(std::string_view name) {
  if (name == "BF16") return DType::kBf16;
  if (name == "F16") return DType::kF16;
  if (name == "F32") return DType::kF32;
  return std::nullopt;
}

class HuggingFaceFolder final : public Checkpoint {
 public:
  HuggingFaceFolder(std::string dir, Json config) : dir_(std::move(dir)), config_(std::move(config)) {}

  Status open_weights(bool read_ahead);

  const std::string& dir() const override { return dir_; }
  const Json& config() const override { return config_; }
  bool has_tensor(std::string_view name) const override { return tensors_.count(std::string(name)) > 0; }
  Result<HostMatrix> tensor(std::string_view name, int64_t rows, int64_t cols) const override;
  int64_t weight_bytes() const override { return weight_bytes_; }
  void release(const HostMatrix& matrix) const override;

 private:
  struct Place {
    size_t file = 0;
    SafetensorsEntry entry;
  };

  Status open_index(const std::string& path);
  Result<std::vector<SafetensorsEntry>> open_file(const std::string& path);
  Error no_weights() const;
  const void* aligned(const uint8_t* data, int64_t bytes, int64_t alignment) const;

  const std::string dir_;
  const Json config_;
  std::vector<std::unique_ptr<MappedFile>> files_;  // constant after open_weights(), like all below
  std::unordered_map<std::string, Place> tensors_;
  int64_t weight_bytes_ = 0;
  std::string weights_path_;  // of model.safetensors or the index, for messages
  mutable std::mutex mutex_;
  mutable std::map<const void*, std::unique_ptr<char[]>> copies_;  // guarded by mutex_; see aligned()
  std::unique_ptr<ReadAhead> read_ahead_;                          // last: its thread reads files_
};

Result<std::vector<SafetensorsEntry>> HuggingFaceFolder::open_file(const std::string& path) {
  SERAPH_ASSIGN_OR_RETURN(auto file, MappedFile::open(follow_text_link(path)));
  auto entries = parse_safetensors_header(file->bytes(), static_cast<int64_t>(file->bytes().size()));
  if (!entries.ok()) return prefixed(std::move(entries.error()), file->path());
  files_.push_back(std::move(file));
  return entries;
}

Status HuggingFaceFolder::open_weights(bool read_ahead) {
  const std::string single = dir_ + "/model.safetensors";
  const std::string index = dir_ + "/model.safetensors.index.json";
  if (file_exists(single)) {
    weights_path_ = single;
    SERAPH_ASSIGN_OR_RETURN(auto entries, open_file(single));
    for (auto& entry : entries) {
      std::string name = entry.name;
      tensors_.emplace(std::move(name), Place{0, std::move(entry)});
    }
  } else if (file_exists(index)) {
    weights_path_ = index;
    SERAPH_RETURN_IF_ERROR(open_index(index));
  } else {
    return no_weights();
  }
  for (const auto& [name, place] : tensors_) weight_bytes_ += place.entry.end - place.entry.begin;
  if (read_ahead) {
    std::vector<const MappedFile*> files;
    for (const auto& file : files_) files.push_back(file.get());
    read_ahead_ = std::make_unique<ReadAhead>(std::move(files));
  }
  return {};
}

/// The index serves to find files and to settle where a tensor lives; tensors of a shard that it does not
/// name are taken too.
Status HuggingFaceFolder::open_index(const std::string& path) {
  SERAPH_ASSIGN_OR_RETURN(const Json json, read_config_file(path));
  const Json* map = json.find("weight_map");
  if (map == nullptr || !map->is_object() || map->as_object().empty()) {
    return Error{ErrorCode::kCorrupt, path + ": weight_map must be an object that maps tensors to files",
                 kDownloadAgain, "weight_map"};
  }
  std::map<std::string, std::vector<std::string>> shards;  // sorted by name: read in the order of layers
  std::unordered_map<std::string_view, std::string_view> place_of;
  for (const auto& [tensor, file] : map->as_object()) {
    if (!file.is_string() || file.as_string().empty() || file.as_string().find('/') != std::string::npos) {
      return Error{ErrorCode::kCorrupt,
                   fmt::format("{}: weight_map gives {} for {}, not the name of a file in this folder", path,
                               in_quotes(file.dump()), in_quotes(tensor)),
                   kDownloadAgain, "weight_map"};
    }
    shards[file.as_string()].push_back(tensor);
    place_of.emplace(tensor, file.as_string());
  }
  std::vector<std::pair<size_t, SafetensorsEntry>> unnamed;
  for (const auto& [file, named] : shards) {
    if (!file_exists(dir_ + "/" + file)) {
      return Error{ErrorCode::kNotFound,
                   fmt::format("{} names the shard {}, which is not in the folder", path, in_quotes(file)),
                   kDownloadAgain, "weight_map"};
    }
    SERAPH_ASSIGN_OR_RETURN(auto entries, open_file(dir_ + "/" + file));
    for (auto& entry : entries) {
      const auto place = place_of.find(entry.name);
      if (place != place_of.end() && place->second == file) {
        std::string name = entry.name;
        tensors_.emplace(std::move(name), Place{files_.size() - 1, std::move(entry)});
      } else {
        unnamed.emplace_back(files_.size() - 1, std::move(entry));
      }
    }
    for (const std::string& name : named) {
      if (tensors_.count(name) == 0) {
        return Error{ErrorCode::kCorrupt,
                     fmt::format("{} says that {} is in {}, but that file lacks it", path, in_quotes(name), file),
                     kDownloadAgain, "weight_map"};
      }
    }
  }
  for (auto& [file, entry] : unnamed) {
    std::string name = entry.name;
    tensors_.emplace(std::move(name), Place{file, std::move(entry)});
  }
  return {};
}

Error HuggingFaceFolder::no_weights() const {
  std::error_code ignored;
  for (const auto& item : fs::directory_iterator(dir_, ignored)) {
    const std::string name = item.path().filename().string();
    const std::string extension = item.path().extension().string();
    if (extension == ".gguf") {
      return Error{ErrorCode::kUnsupported,
                   fmt::format("{} holds a GGUF file ({}), which is not supported yet", dir_, name),
                   "use the model's safetensors checkpoint"};
    }
    if (name.rfind("pytorch_model", 0) == 0 && extension != ".json") {
      return Error{ErrorCode::kUnsupported,
                   fmt::format("{} holds only pickled weights ({}), which are never executed here", dir_, name),
                   "convert them to safetensors: load the model with transformers and save_pretrained() it"};
    }
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("{} holds no weights: neither model.safetensors nor model.safetensors.index.json", dir_),
               "finish the download, or pass --load-format dummy for random weights"};
}

Result<HostMatrix> HuggingFaceFolder::tensor(std::string_view name, int64_t rows, int64_t cols) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) {
    return Error{ErrorCode::kCorrupt, fmt::format("{} lacks the tensor {} [{}, {}]", weights_path_, name, rows, cols),
                 "check that config.json and the weights belong together"};
  }
  const SafetensorsEntry& entry = found->second.entry;
  const MappedFile& file = *files_[found->second.file];
  const std::vector<int64_t> expected =
      entry.shape.size() == 1 && rows == 1 ? std::vector<int64_t>{cols} : std::vector<int64_t>{rows, cols};
  if (entry.shape != expected) {
    return Error{ErrorCode::kCorrupt,
                 fmt::format("{}: tensor {} has shape [{}], config.json asks for [{}]", file.path(), name,
                             fmt::join(entry.shape, ", "), fmt::join(expected, ", ")),
                 "check that config.json and the weights belong together"};
  }
  const auto dtype = weight_dtype(entry.dtype);
  if (!dtype.has_value()) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{}: tensor {} is {}, readable are BF16, F16 and F32", file.path(), name, entry.dtype),
                 "convert the checkpoint to one of these"};
  }
  const void* data = aligned(file.bytes().data() + entry.begin, entry.end - entry.begin, dtype_bytes(*dtype));
  return HostMatrix{.data = data, .dtype = *dtype, .rows = rows, .cols = cols};
}

/// The format lets a tensor begin at any byte; old writers did not pad the header. Such a tensor is copied
/// and the copy lives until release().
const void* HuggingFaceFolder::aligned(const uint8_t* data, int64_t bytes, int64_t alignment) const {
  if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(alignment) == 0) return data;
  auto copy = std::unique_ptr<char[]>(new char[static_cast<size_t>(bytes)]);
  std::memcpy(copy.get(), data, static_cast<size_t>(bytes));
  const void* out = copy.get();
  const std::lock_guard lock(mutex_);
  copies_[out] = std::move(copy);
  return out;
}

void HuggingFaceFolder::release(const HostMatrix& matrix) const {
  {
    const std::lock_guard lock(mutex_);
    if (copies_.erase(matrix.data) > 0) return;
  }
  const auto* data = static_cast<const uint8_t*>(matrix.data);
  for (const auto& file : files_) {
    const auto bytes = file->bytes();
    if (data >= bytes.data() && data < bytes.data() + bytes.size()) {
      file->dont_need(data - bytes.data(), matrix.rows * matrix.cols * dtype_bytes(matrix.dtype));
    }
  }
}

Status check_quantisation(const Json& config, const std::string& path) {
  for (const char* key : {"quantization_config", "compression_config"}) {
    const Json* value = config.find(key);
    if (value == nullptr || value->is_null()) continue;
    const Json* method = value->find("quant_method");
    return Error{
        ErrorCode::kUnsupported,
        fmt::format("{}: {} says that the weights are quantised ({}), which is not supported yet", path, key,
                    method != nullptr && method->is_string() ? in_quotes(method->as_string()) : "method not named"),
        "use the checkpoint in BF16, F16 or F32", key};
  }
  return {};
}

void merge_members(const Json& overrides, Json& config) {
  if (!overrides.is_object()) return;
  for (const auto& [name, value] : overrides.as_object()) {
    Json* member = config.find(name);
    if (member != nullptr && member->is_object() && value.is_object()) {
      merge_members(value, *member);
    } else {
      config.set(name, value);
    }
  }
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> Checkpoint::open(const std::string& model_dir, Weights weights, bool read_ahead,
                                                     const Json& overrides) {
  std::error_code ignored;
  if (!fs::is_directory(model_dir, ignored)) {
    return Error{ErrorCode::kNotFound, fmt::format("there is no model folder {}", model_dir),
                 "give --model a Hugging Face folder with config.json and safetensors weights"};
  }
  const std::string config_path = model_dir + "/config.json";
  if (!file_exists(config_path)) {
    return Error{ErrorCode::kNotFound, fmt::format("{} has no config.json", model_dir),
                 "give --model a Hugging Face folder with config.json and safetensors weights"};
  }
  SERAPH_ASSIGN_OR_RETURN(Json config, read_config_file(config_path));
  merge_members(overrides, config);
  SERAPH_RETURN_IF_ERROR(check_quantisation(config, config_path));
  auto folder = std::make_unique<HuggingFaceFolder>(model_dir, std::move(config));
  if (weights == Weights::kRequired) SERAPH_RETURN_IF_ERROR(folder->open_weights(read_ahead));
  return std::unique_ptr<Checkpoint>(std::move(folder));
}

}  // namespace seraph
