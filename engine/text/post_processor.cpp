#include "engine/text/post_processor.h"

#include "engine/text/component_spec.h"
#include "engine/text/subword_model.h"

namespace seraph::text {
namespace {

constexpr size_t kAddedIdsMax = 1024;  // on either side; published templates add one or two

Status append_ids(const Json& list, const std::string& key, std::vector<int32_t>& out) {
  if (!list.is_array()) return Error{ErrorCode::kCorrupt, key + " is not an array of ids"};
  for (const Json& id : list.as_array()) {
    if (!id.is_int() || id.as_int() < 0 || id.as_int() > kTokenIdMax || out.size() >= kAddedIdsMax) {
      return Error{ErrorCode::kCorrupt, key + " holds something that is no token id"};
    }
    out.push_back(static_cast<int32_t>(id.as_int()));
  }
  return {};
}

Status parse_template(const Json& spec, const std::string& key, PostProcessor& out) {
  SERAPH_ASSIGN_OR_RETURN(const Json::Array* parts, get_array(spec, "single", key));
  std::vector<int32_t> before, after;
  bool behind = false;
  for (const Json& part : *parts) {
    if (part.find("Sequence") != nullptr) {
      behind = true;
      continue;
    }
    const Json* special = part.find("SpecialToken");
    if (special == nullptr) return Error{ErrorCode::kCorrupt, key + ".single has a part of unknown kind"};
    SERAPH_ASSIGN_OR_RETURN(const std::string name, get_string(*special, "id", key + ".single"));
    const Json* tokens = spec.find("special_tokens");
    const Json* token = tokens != nullptr ? tokens->find(name) : nullptr;
    const Json* ids = token != nullptr ? token->find("ids") : nullptr;
    if (ids == nullptr) return Error{ErrorCode::kCorrupt, key + ".special_tokens lacks \"" + name + "\""};
    SERAPH_RETURN_IF_ERROR(append_ids(*ids, key + ".special_tokens", behind ? after : before));
  }
  out.before.insert(out.before.begin(), before.begin(), before.end());
  out.after.insert(out.after.end(), after.begin(), after.end());
  return {};
}

// {"sep": [text, id], "cls": [text, id]}: cls in front, sep behind.
Status parse_pair(const Json& spec, const std::string& key, PostProcessor& out) {
  const auto id_of = [&](std::string_view name) -> int64_t {
    const Json* pair = spec.find(name);
    if (pair == nullptr || !pair->is_array() || pair->as_array().size() != 2) return -1;
    const Json& id = pair->as_array()[1];
    return id.is_int() && id.as_int() <= kTokenIdMax ? id.as_int() : -1;
  };
  const int64_t cls = id_of("cls"), sep = id_of("sep");
  if (cls < 0 || sep < 0) return Error{ErrorCode::kCorrupt, key + " needs cls and sep as [text, id]"};
  out.before.insert(out.before.begin(), static_cast<int32_t>(cls));
  out.after.push_back(static_cast<int32_t>(sep));
  return {};
}

Status parse_step(const Json& spec, const std::string& key, int depth, PostProcessor& out) {
  SERAPH_ASSIGN_OR_RETURN(const std::string type, get_type(spec, key, depth));
  if (type == "TemplateProcessing") return parse_template(spec, key, out);
  if (type == "BertProcessing" || type == "RobertaProcessing") return parse_pair(spec, key, out);
  if (type == "ByteLevel") return {};  // changes offsets only
  if (type != "Sequence") return unknown_type(type, key);
  SERAPH_ASSIGN_OR_RETURN(const Json::Array* list, get_array(spec, "processors", key));
  for (size_t i = 0; i < list->size(); ++i) {
    SERAPH_RETURN_IF_ERROR(parse_step((*list)[i], key + ".processors[" + std::to_string(i) + "]", depth + 1, out));
  }
  return {};
}

}  // namespace

Result<PostProcessor> PostProcessor::parse(const Json& spec) {
  PostProcessor out;
  if (!spec.is_null()) {
    SERAPH_RETURN_IF_ERROR(parse_step(spec, "post_processor", 0, out));
  }
  return out;
}

}  // namespace seraph::text
