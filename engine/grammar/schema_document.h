// A JSON Schema document and what its references mean: $id, $anchor, $dynamicAnchor, JSON pointers. Only what is inside
// the document can be referred to, and the metaschemas of drafts 7 and 2020-12; nothing is ever fetched. Borrows the
// document's Json.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/json.h"
#include "engine/grammar/failure.h"

namespace seraph::grammar {

class SchemaDocument {
 public:
  /// One schema, and the resource ($id) that its references are relative to.
  struct Place {
    const Json* schema = nullptr;
    int32_t resource = 0;
  };

  SchemaDocument(const Json& root, Budget& budget);

  /// The document says that it is of draft 2019-09 or later.
  bool is_recent_draft() const;
  Place root() const { return {root_, resource_at(root_, 0)}; }
  /// A subschema of `parent`.
  Place child(const Place& parent, const Json& schema) const {
    return {&schema, resource_at(&schema, parent.resource)};
  }
  /// Throws CompileFailure naming the reference when it leads nowhere.
  Place resolve(const Place& from, const std::string& reference);
  /// $dynamicRef: `scope` lists the resources that were entered, outermost first.
  Place resolve_dynamic(const Place& from, const std::string& reference, const std::vector<int32_t>& scope);
  /// Adds a resource that is entered to `scope`, unless it has no dynamic anchor that is new there: the outermost of a
  /// name counts, and equal scopes keep equal schemas equal.
  void add_to_scope(int32_t resource, std::vector<int32_t>& scope) const;

 private:
  struct Resource {
    std::string uri;
    const Json* root;
    std::map<std::string, Place> anchors, dynamic_anchors;
  };

  int32_t resource_at(const Json* schema, int32_t parent) const {
    const auto found = resource_roots_.find(schema);
    return found == resource_roots_.end() ? parent : found->second;
  }
  void scan(const Json& schema, int32_t resource, int32_t depth);
  int32_t enter(const Json& schema, int32_t resource);
  bool add_metaschema(const std::string& uri);
  Place follow_pointer(int32_t resource, std::string_view pointer, const std::string& reference) const;

  const Json* root_;
  Budget& budget_;
  std::vector<Resource> resources_;
  std::map<std::string, int32_t> by_uri_;
  std::unordered_map<const Json*, int32_t> resource_roots_;
  std::deque<Json> metaschemas_;  // those that references led to
};

/// The text of a metaschema by its URI without fragment; "" for URIs that are not known.
std::string_view find_metaschema(std::string_view uri);

/// RFC 3986 section 5.2, as far as schemas need it. The result has no fragment unless `reference` has one.
std::string resolve_uri(std::string_view base, std::string_view reference);

}  // namespace seraph::grammar
