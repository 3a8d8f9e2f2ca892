#include "engine/grammar/schema_document.h"

#include <algorithm>

namespace seraph::grammar {
namespace {

constexpr std::string_view kSchemaMembers[] = {"additionalProperties",
                                               "additionalItems",
                                               "contains",
                                               "else",
                                               "if",
                                               "items",
                                               "not",
                                               "propertyNames",
                                               "then",
                                               "unevaluatedItems",
                                               "unevaluatedProperties",
                                               "contentSchema"};
constexpr std::string_view kListMembers[] = {"allOf", "anyOf", "oneOf", "prefixItems", "items"};
constexpr std::string_view kMapMembers[] = {"$defs",        "definitions",       "dependentSchemas",
                                            "dependencies", "patternProperties", "properties"};

size_t scheme_length(std::string_view uri) {
  size_t i = 0;
  while (i < uri.size() &&
         (std::isalnum(static_cast<unsigned char>(uri[i])) || uri[i] == '+' || uri[i] == '-' || uri[i] == '.'))
    ++i;
  return i > 0 && i < uri.size() && uri[i] == ':' ? i + 1 : 0;
}

std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> out;
  bool directory = false;
  for (size_t i = 0; i <= path.size();) {
    const size_t slash = std::min(path.find('/', i), path.size());
    const std::string_view segment = path.substr(i, slash - i);
    directory = segment == "." || segment == "..";
    if (segment == "..") {
      if (out.size() > 1) out.pop_back();
    } else if (segment != ".") {
      out.push_back(segment);
    }
    i = slash + 1;
  }
  std::string text;
  for (size_t i = 0; i < out.size(); ++i) text += (i == 0 ? "" : "/") + std::string(out[i]);
  return directory ? text + "/" : text;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  const auto hex = [](char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string pointer_token(std::string_view raw) {
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '~' && i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1')) {
      out.push_back(raw[++i] == '0' ? '~' : '/');
    } else {
      out.push_back(raw[i]);
    }
  }
  return out;
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
  if (scheme_length(reference) > 0) return std::string(reference);
  base = base.substr(0, base.find('#'));
  if (reference.empty() || reference[0] == '#') return std::string(base) + std::string(reference);
  const size_t scheme = scheme_length(base);
  if (reference.substr(0, 2) == "//") return std::string(base.substr(0, scheme)) + std::string(reference);
  size_t path = scheme;
  if (base.substr(scheme, 2) == "//") path = std::min(base.find('/', scheme + 2), base.size());
  const std::string authority(base.substr(0, path));
  const size_t fragment = std::min(reference.find('#'), reference.size());
  std::string merged;
  if (reference[0] == '/') {
    merged = std::string(reference.substr(0, fragment));
  } else {
    const size_t slash = base.rfind('/');
    const bool has_directory = slash != std::string_view::npos && slash >= path;
    merged =
        (has_directory ? std::string(base.substr(path, slash + 1 - path)) : std::string(path > scheme ? "/" : "")) +
        std::string(reference.substr(0, fragment));
  }
  return authority + without_dot_segments(merged) + std::string(reference.substr(fragment));
}

SchemaDocument::SchemaDocument(const Json& root, Budget& budget) : root_(&root), budget_(budget) {
  resources_.push_back({"", &root, {}, {}});
  by_uri_[""] = 0;
  resource_roots_[&root] = 0;
  scan(root, 0, 0);
}

bool SchemaDocument::is_recent_draft() const {
  const Json* draft = root_->find("$schema");
  return draft != nullptr && draft->is_string() && draft->as_string().find("/draft/20") != std::string::npos;
}

/// Registers the schema's $id and anchors; gives the resource that its children belong to.
int32_t SchemaDocument::enter(const Json& schema, int32_t resource) {
  const Json* id = schema.find("$id");
  // Up to draft 7 nothing beside a $ref counts; documents with `definitions` that do not name a draft are read so.
  const bool is_old = !is_recent_draft() && root_->find("definitions") != nullptr;
  if (is_old && schema.find("$ref") != nullptr) id = nullptr;
  if (id != nullptr && id->is_string()) {
    const std::string uri = resolve_uri(resources_[resource].uri, id->as_string());
    const size_t fragment = uri.find('#');
    const std::string plain = uri.substr(0, fragment);
    if (fragment != std::string::npos && fragment + 1 < uri.size()) {
      resources_[resource].anchors[uri.substr(fragment + 1)] = {&schema, resource};  // as drafts up to 7 had it
    }
    if (!plain.empty() && id->as_string()[0] != '#') {
      if (&schema == root_) {
        resources_[0].uri = plain;
      } else {
        resource = static_cast<int32_t>(resources_.size());
        resources_.push_back({plain, &schema, {}, {}});
        resource_roots_[&schema] = resource;
      }
      by_uri_.emplace(plain, resource);
    }
  }
  for (const char* keyword : {"$anchor", "$dynamicAnchor"}) {
    const Json* anchor = schema.find(keyword);
    if (anchor == nullptr || !anchor->is_string()) continue;
    resources_[resource].anchors.emplace(anchor->as_string(), Place{&schema, resource});
    if (keyword[1] == 'd') resources_[resource].dynamic_anchors.emplace(anchor->as_string(), Place{&schema, resource});
  }
  return resource;
}

void SchemaDocument::scan(const Json& schema, int32_t resource, int32_t depth) {
  if (!schema.is_object()) return;
  budget_.check_depth(depth);
  budget_.spend(static_cast<int64_t>(schema.as_object().size()) + 1);
  resource = enter(schema, resource);
  const auto scan_all = [&](const Json& list) {
    if (list.is_array()) {
      for (const Json& item : list.as_array()) scan(item, resource, depth + 1);
    } else if (list.is_object()) {
      for (const auto& [name, item] : list.as_object()) scan(item, resource, depth + 1);
    }
  };
  for (const auto& [name, value] : schema.as_object()) {
    const auto is_one_of = [&](const auto& names) {
      return std::find(std::begin(names), std::end(names), name) != std::end(names);
    };
    if (value.is_array() && is_one_of(kListMembers)) {
      scan_all(value);
    } else if (is_one_of(kSchemaMembers)) {
      scan(value, resource, depth + 1);
    } else if (value.is_object() && is_one_of(kMapMembers)) {
      scan_all(value);
    }
  }
}

bool SchemaDocument::add_metaschema(const std::string& uri) {
  const std::string_view text = find_metaschema(uri);
  if (text.empty()) return false;
  auto parsed = Json::parse(text);
  if (!parsed.ok()) return false;
  const Json& schema = metaschemas_.emplace_back(std::move(*parsed));
  const auto resource = static_cast<int32_t>(resources_.size());
  resources_.push_back({uri, &schema, {}, {}});
  resource_roots_[&schema] = resource;
  by_uri_[uri] = resource;
  scan(schema, resource, 0);
  return true;
}

SchemaDocument::Place SchemaDocument::resolve(const Place& from, const std::string& reference) {
  const std::string uri = resolve_uri(resources_[from.resource].uri, reference);
  const size_t hash = std::min(uri.find('#'), uri.size());
  const std::string plain = uri.substr(0, hash);
  const std::string fragment = hash < uri.size() ? percent_decoded(std::string_view(uri).substr(hash + 1)) : "";
  auto resource = by_uri_.find(plain);
  if (resource == by_uri_.end() && add_metaschema(plain)) resource = by_uri_.find(plain);
  int32_t target = from.resource;
  if (resource != by_uri_.end()) {
    target = resource->second;
  } else if (plain != resources_[from.resource].uri) {
    fail_unsupported(fmt::format("$ref \"{:.200}\" leads outside the schema", reference));
  }
  if (fragment.empty()) return {resources_[target].root, target};
  if (fragment[0] == '/') return follow_pointer(target, fragment, reference);
  const auto anchor = resources_[target].anchors.find(fragment);
  if (anchor == resources_[target].anchors.end()) {
    fail_invalid(fmt::format("$ref \"{:.200}\" names an anchor that does not exist", reference));
  }
  return anchor->second;
}

SchemaDocument::Place SchemaDocument::follow_pointer(int32_t resource, std::string_view pointer,
                                                     const std::string& reference) const {
  Place place = {resources_[resource].root, resource};
  while (!pointer.empty()) {
    const size_t slash = std::min(pointer.find('/', 1), pointer.size());
    const std::string token = pointer_token(pointer.substr(1, slash - 1));
    pointer.remove_prefix(slash);
    const Json* next = nullptr;
    if (place.schema->is_array()) {
      const bool number =
          !token.empty() && token.size() < 9 && token.find_first_not_of("0123456789") == std::string::npos;
      const size_t index = number ? static_cast<size_t>(std::stoul(token)) : place.schema->as_array().size();
      if (index < place.schema->as_array().size()) next = &place.schema->as_array()[index];
    } else {
      next = place.schema->find(token);
    }
    if (next == nullptr) fail_invalid(fmt::format("$ref \"{:.200}\" leads to nothing", reference));
    place = child(place, *next);
  }
  return place;
}

void SchemaDocument::add_to_scope(int32_t resource, std::vector<int32_t>& scope) const {
  const auto is_new = [&](const auto& anchor) {
    return std::none_of(scope.begin(), scope.end(),
                        [&](int32_t outer) { return resources_[outer].dynamic_anchors.contains(anchor.first); });
  };
  const auto& anchors = resources_[resource].dynamic_anchors;
  if (std::any_of(anchors.begin(), anchors.end(), is_new)) scope.push_back(resource);
}

SchemaDocument::Place SchemaDocument::resolve_dynamic(const Place& from, const std::string& reference,
                                                      const std::vector<int32_t>& scope) {
  const Place first = resolve(from, reference);
  const size_t hash = reference.find('#');
  if (hash == std::string::npos || hash + 1 >= reference.size() || reference[hash + 1] == '/') return first;
  const std::string name = percent_decoded(std::string_view(reference).substr(hash + 1));
  // Without a $dynamicAnchor at the first target the reference is an ordinary one.
  if (!resources_[first.resource].dynamic_anchors.contains(name)) return first;
  for (const int32_t resource : scope) {
    const auto found = resources_[resource].dynamic_anchors.find(name);
    if (found != resources_[resource].dynamic_anchors.end()) return found->second;
  }
  return first;
}

}  // namespace seraph::grammar
