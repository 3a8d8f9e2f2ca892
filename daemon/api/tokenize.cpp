#include "daemon/api/tokenize.h"

#include <limits>
#include <utility>
#include <vector>

#include "daemon/api/answer.h"
#include "daemon/api/body.h"
#include "daemon/api/fields.h"

namespace seraph {
namespace {

/// A text body is one of two schemas, so what is wrong with it is followed by what the other one misses.
std::optional<ApiError> check_text_body(Json& body, const PrepareContext& context) {
  const FieldLimits limits{context.options->stop_strings_max};
  if (!body.is_object()) return check_fields(body, kTokenizeText, limits);
  std::vector<SchemaError> errors = check_schema(body, kTokenizeText, limits);
  if (errors.empty()) return std::nullopt;
  errors.push_back({"missing", "body.messages", "Field required", describe(body)});
  return schema_error(errors);
}

/// Texts may be longer than the context here, since who counts tokens wants to know by how much; but some megabytes of
/// one repeated character keep a worker busy for seconds.
std::optional<ApiError> check_length(std::string_view text) {
  constexpr size_t kTextBytesMax = 1 << 20;
  if (text.size() <= kTextBytesMax) return std::nullopt;
  return bad_request("the text has " + std::to_string(text.size()) + " bytes, at most " +
                         std::to_string(kTextBytesMax) + " are tokenized in one request; send it in parts",
                     "prompt");
}

}  // namespace

std::optional<ApiError> answer_tokenize(std::string_view bytes, const PrepareContext& context, std::string& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  const bool is_chat = body.find("messages") != nullptr;
  if (is_chat) {
    if (auto error = check_fields(body, kTokenizeChat, {context.options->stop_strings_max})) return error;
  } else if (auto error = check_text_body(body, context)) {
    return error;
  }
  if (auto error = check_model(body, context)) return error;
  std::vector<TokenId> ids;
  if (is_chat) {
    RenderedChat rendered;
    if (auto error = render_chat_body(body, context, rendered)) return error;
    if (auto error = check_length(rendered.text)) return error;
    ids = context.tokenizer->encode(rendered.text, get_bool(body, "add_special_tokens", false));
  } else {
    if (auto error = check_length(*find_string(body, "prompt"))) return error;
    ids = context.tokenizer->encode(*find_string(body, "prompt"), get_bool(body, "add_special_tokens", true));
  }
  out = "{\"count\":" + std::to_string(ids.size()) +
        ",\"max_model_len\":" + std::to_string(context.info->max_model_len) + ",\"tokens\":";
  append_ids(out, ids);
  out += ",\"token_strs\":";
  if (get_bool(body, "return_token_strs", false)) {
    out += '[';
    for (size_t i = 0; i < ids.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, context.tokenizer->piece(ids[i]));
    }
    out += "]}";
  } else {
    out += "null}";
  }
  return std::nullopt;
}

std::optional<ApiError> answer_detokenize(std::string_view bytes, const PrepareContext& context, std::string& out) {
  Json body;
  if (auto error = parse_body(bytes, body)) return error;
  if (auto error = check_fields(body, kDetokenize, {})) return error;
  if (auto error = check_model(body, context)) return error;
  std::vector<TokenId> ids;
  for (const Json& item : body.find("tokens")->as_array()) {
    const int64_t id = item.as_int();
    if (id > std::numeric_limits<uint32_t>::max()) {
      return bad_request("number too large to fit in target type: token id " + std::to_string(id));
    }
    // Ids beyond the vocabulary have no text.
    if (id < context.tokenizer->vocab_size()) ids.push_back(static_cast<TokenId>(id));
  }
  out = "{\"prompt\":";
  append_json_string(out, context.tokenizer->decode(ids, false));
  out += '}';
  return std::nullopt;
}

}  // namespace seraph
