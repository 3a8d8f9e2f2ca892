#include "daemon/api/pooling.h"

#include <algorithm>
#include <utility>

#include "daemon/api/body.h"

namespace seraph {
namespace {

using Task = PoolingInfo::Task;

/// One text or ids of a body, not yet tokenized. `text_pair` follows a query in the same prompt.
struct RawInput {
  const std::string* text = nullptr;
  const Json::Array* ids = nullptr;
  const std::string* text_pair = nullptr;
};

class Preparation {
 public:
  Preparation(Json& body, const PrepareContext& context, PreparedPooling& out)
      : body_(body), context_(context), info_(context.info->pooling), out_(out) {}

  std::optional<ApiError> run();

 private:
  std::optional<ApiError> read_options();
  std::optional<ApiError> read_dimensions();
  std::optional<ApiError> read_inputs();
  std::optional<ApiError> read_texts(const char* queries, const char* documents);
  std::optional<ApiError> add(const RawInput& input);
  std::optional<ApiError> add_chat();
  std::optional<ApiError> add_ids(std::vector<TokenId> ids);
  std::optional<ApiError> check_count(size_t count) const;

  Json& body_;
  const PrepareContext& context_;
  const PoolingInfo& info_;
  PreparedPooling& out_;
};

std::optional<ApiError> Preparation::check_count(size_t count) const {
  if (count == 0) return bad_request("You must pass at least one prompt");
  const int64_t max = context_.options->choices_max;
  if (static_cast<int64_t>(count) <= max) return std::nullopt;
  return bad_request("the request holds " + std::to_string(count) + " texts, at most " + std::to_string(max) +
                     " are taken in one request");
}

/// `dimensions` against what the checkpoint was trained for.
std::optional<ApiError> Preparation::read_dimensions() {
  const auto asked = find_int(body_, "dimensions");
  if (!asked) return std::nullopt;
  const std::string name = python_string(context_.options->served_model_names.front());
  if (!info_.any_dimensions && info_.dimensions.empty()) {
    return bad_request("Model " + name +
                       " does not support Matryoshka embeddings; dimensions must be unset (received " +
                       "dimensions=" + std::to_string(*asked) + ").");
  }
  std::string listed;
  for (const int32_t size : info_.dimensions) listed += (listed.empty() ? "" : ", ") + std::to_string(size);
  const bool known = info_.any_dimensions ||
                     std::find(info_.dimensions.begin(), info_.dimensions.end(), *asked) != info_.dimensions.end();
  if (!known) {
    return bad_request("Model " + name + " only supports [" + listed +
                       "] matryoshka dimensions (received dimensions=" + std::to_string(*asked) + ").");
  }
  if (*asked < 1 || *asked > info_.width) {
    return bad_request("dimensions must be from 1 to " + std::to_string(info_.width) + ", got " +
                       std::to_string(*asked) + '.');
  }
  out_.dimensions = static_cast<int32_t>(*asked);
  return std::nullopt;
}

std::optional<ApiError> Preparation::read_options() {
  using Format = VectorEncoding::Format;
  using Type = VectorEncoding::Type;
  if (find_given(body_, "normalize") != nullptr) {
    return bad_request("Parameter `normalize` was removed; use `use_activation` instead. (parameter=normalize)",
                       "normalize");
  }
  if (auto error = read_dimensions()) return error;
  const char* own_task = info_.task == Task::kEmbed ? "embed" : "classify";
  if (const std::string* task = find_string(body_, "task"); task != nullptr && *task != own_task) {
    return bad_request(
        "Try switching the model's pooling_task via --pooler-config.task " + *task + ". (parameter=task)", "task");
  }
  out_.use_activation = get_bool(body_, "use_activation", info_.use_activation);
  if (const std::string* format = find_string(body_, "encoding_format")) {
    out_.encoding.format = *format == "base64"       ? Format::kBase64
                           : *format == "bytes"      ? Format::kBytes
                           : *format == "bytes_only" ? Format::kBytesOnly
                                                     : Format::kFloat;
  }
  if (const std::string* type = find_string(body_, "embed_dtype")) {
    if (type->starts_with("fp8")) {
      return bad_request("embed_dtype " + *type + " is not offered; ask for float32, float16 or bfloat16",
                         "embed_dtype");
    }
    out_.encoding.type = *type == "float16" ? Type::kFloat16 : *type == "bfloat16" ? Type::kBfloat16 : Type::kFloat32;
  }
  const std::string* endianness = find_string(body_, "endianness");
  out_.encoding.big_endian = endianness != nullptr && *endianness == "big";
  const int64_t priority = find_int(body_, "priority").value_or(0);
  out_.priority = static_cast<int32_t>(std::clamp<int64_t>(priority, INT32_MIN, INT32_MAX));
  if (const std::string* salt = find_string(body_, "cache_salt")) out_.cache_salt = *salt;
  return read_request_id(body_, out_.request_id);
}

/// What the engine has to see of a prompt: all of it, unless one token decides that is not the last.
std::optional<ApiError> Preparation::add_ids(std::vector<TokenId> ids) {
  const int64_t limit = context_.info->max_model_len;
  GenerationParams whole_context;
  whole_context.max_tokens = 0;  // truncation to -1 leaves no room for an answer
  if (auto error = truncate_prompt(body_, whole_context, limit, ids)) return error;
  if (ids.empty()) return bad_request("The decoder prompt cannot be empty");
  if (static_cast<int64_t>(ids.size()) > limit) {
    int32_t unused = 0;
    return plan_tokens_max({}, limit + 1, limit, unused);
  }
  out_.prompt_tokens += static_cast<int64_t>(ids.size());
  if (info_.first_token_only) ids.resize(1);
  if (info_.task == Task::kClassify && info_.pad_token >= 0) {
    while (ids.size() > 1 && ids.back() == info_.pad_token) ids.pop_back();
  }
  out_.prompts.push_back(std::move(ids));
  return std::nullopt;
}

std::optional<ApiError> Preparation::add(const RawInput& input) {
  std::vector<TokenId> ids;
  if (input.ids != nullptr) {
    for (const Json& item : *input.ids) {
      if (item.as_int() >= context_.info->vocab_size) {
        return bad_request("Token id " + std::to_string(item.as_int()) + " is out of vocabulary");
      }
      ids.push_back(static_cast<TokenId>(item.as_int()));
    }
    return add_ids(std::move(ids));
  }
  const bool special = get_bool(body_, "add_special_tokens", true);
  if (input.text_pair != nullptr && !info_.pairs_have_separator) {
    if (auto error = encode_prompt(*input.text + *input.text_pair, special, context_, ids)) return error;
    return add_ids(std::move(ids));
  }
  if (auto error = encode_prompt(*input.text, special, context_, ids)) return error;
  if (input.text->empty() && input.text_pair == nullptr) ids.clear();
  if (input.text_pair != nullptr && !input.text_pair->empty()) {
    // The pair templates of decoders give each text the special tokens that it has alone.
    std::vector<TokenId> second;
    if (auto error = encode_prompt(*input.text_pair, special, context_, second)) return error;
    ids.insert(ids.end(), second.begin(), second.end());
  }
  return add_ids(std::move(ids));
}

std::optional<ApiError> Preparation::add_chat() {
  RenderedChat rendered;
  if (auto error = render_chat_body(body_, context_, rendered)) return error;
  std::vector<TokenId> ids;
  const bool special = get_bool(body_, "add_special_tokens", false);
  if (auto error = encode_prompt(rendered.text, special, context_, ids)) return error;
  return add_ids(std::move(ids));
}

std::optional<ApiError> Preparation::read_inputs() {
  const Json* input = find_given(body_, "input");
  if (input == nullptr) return add_chat();
  if (input->is_string()) return add({.text = &input->as_string()});
  const Json::Array& items = input->as_array();
  if (!items.empty() && items.front().is_int()) return add({.ids = &items});
  if (auto error = check_count(items.size())) return error;
  for (const Json& item : items) {
    const RawInput raw = item.is_string() ? RawInput{.text = &item.as_string()} : RawInput{.ids = &item.as_array()};
    if (auto error = add(raw)) return error;
  }
  return std::nullopt;
}

std::vector<const std::string*> texts_of(const Json& value) {
  std::vector<const std::string*> out;
  if (value.is_string()) {
    out.push_back(&value.as_string());
  } else {
    for (const Json& item : value.as_array()) out.push_back(&item.as_string());
  }
  return out;
}

/// Queries and documents, one to one or one to many: pairs for a classifier, single texts for an embedding model.
std::optional<ApiError> Preparation::read_texts(const char* queries_name, const char* documents_name) {
  const std::vector<const std::string*> queries = texts_of(*body_.find(queries_name));
  const std::vector<const std::string*> documents = texts_of(*body_.find(documents_name));
  if (queries.empty()) return bad_request("At least one text element must be given");
  if (documents.empty()) return bad_request("At least one text_pair element must be given");
  if (queries.size() != 1 && queries.size() != documents.size()) {
    return bad_request("Input lengths must be either 1:1, 1:N or N:N");
  }
  if (auto error = check_count(queries.size() + documents.size())) return error;
  out_.num_queries = queries.size();
  out_.num_documents = documents.size();
  if (out_.endpoint == kRerank) {
    for (const std::string* document : documents) out_.documents.push_back(*document);
    out_.top_n = static_cast<size_t>(find_int(body_, "top_n").value_or(0));
  }
  if (info_.task == Task::kClassify) {
    for (size_t i = 0; i < documents.size(); ++i) {
      const std::string* query = queries[queries.size() == 1 ? 0 : i];
      if (auto error = add({.text = query, .text_pair = documents[i]})) return error;
    }
    return std::nullopt;
  }
  for (const auto* texts : {&queries, &documents}) {
    for (const std::string* text : *texts) {
      if (auto error = add({.text = text})) return error;
    }
  }
  return std::nullopt;
}

std::optional<ApiError> Preparation::run() {
  // Defaults of these endpoints, set before anything points into the body. Unlike a prompt that is to be continued, a
  // text to be judged keeps its beginning when it is cut.
  if (find_given(body_, "truncation_side") == nullptr) body_.set("truncation_side", "right");
  if (find_given(body_, "add_generation_prompt") == nullptr) body_.set("add_generation_prompt", false);
  if (auto error = read_options()) return error;
  if (out_.endpoint == kRerank) return read_texts("query", "documents");
  if (out_.endpoint != kScore) return read_inputs();
  constexpr std::pair<const char*, const char*> kSpellings[] = {
      {"queries", "documents"}, {"queries", "items"}, {"data_1", "data_2"}, {"text_1", "text_2"}};
  for (const auto& [queries, documents] : kSpellings) {
    if (find_given(body_, queries) == nullptr || find_given(body_, documents) == nullptr) continue;
    return read_texts(queries, documents);
  }
  const char* missing = find_given(body_, "queries") == nullptr ? "body.queries" : "body.documents";
  return schema_error({{"missing", missing, "Field required", describe(body_)}});
}

/// vLLM's pooling routes name no aliases.
std::optional<ApiError> check_pooling_model(const Json& body, const PrepareContext& context) {
  auto error = check_model(body, context);
  if (!error) return std::nullopt;
  error->message = "The model `" + *find_string(body, "model") + "` does not exist.";
  error->param = std::nullopt;
  return error;
}

}  // namespace

std::optional<ApiError> prepare_pooling(std::string_view bytes, const PrepareContext& context, PreparedPooling& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, out.endpoint, {context.options->stop_strings_max})) return error;
  const bool takes_chat = out.endpoint != kScore && out.endpoint != kRerank;
  if (takes_chat && body.find("input") == nullptr && body.find("messages") == nullptr) {
    return schema_error({{"missing", "body.input", "Field required", describe(body)},
                         {"missing", "body.messages", "Field required", describe(body)}});
  }
  if (auto error = check_pooling_model(body, context)) return error;
  return Preparation(body, context, out).run();
}

std::vector<PoolingRoute> pooling_routes(const PoolingInfo& info) {
  std::vector<PoolingRoute> out;
  if (!info.pools()) return out;
  out.push_back({"/pooling", kPooling});
  if (info.task == Task::kEmbed) {
    out.push_back({"/v1/embeddings", kEmbeddings});
    out.push_back({"/invocations", kEmbeddings});
  } else {
    out.push_back({"/classify", kClassify});
    out.push_back({"/invocations", kClassify});
  }
  if (info.task == Task::kClassify && info.width != 1) return out;
  for (const char* path : {"/score", "/v1/score"}) out.push_back({path, kScore});
  for (const char* path : {"/rerank", "/v1/rerank", "/v2/rerank"}) out.push_back({path, kRerank});
  return out;
}

}  // namespace seraph
