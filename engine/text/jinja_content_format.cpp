#include "engine/text/jinja_content_format.h"

#include <set>

namespace seraph::jinja {
namespace {

class ContentFinder {
 public:
  bool visit_all(const Nodes& nodes) {
    bool found = false;
    for (const NodePtr& node : nodes) found = (node && visit(*node)) || found;
    return found;
  }

  bool visit(const Node& node) {
    if (node.kind == Kind::kSet && node.a->kind == Kind::kName && is_content(*node.b)) names_.insert(node.a->name);
    // A macro or test that gets content as an argument may loop over its own parameter.
    if (node.kind == Kind::kMacro) {
      for (const NodePtr& param : node.params) {
        if (param->name == "content") names_.insert("content");
      }
    }
    if (node.kind == Kind::kFor && is_content(*node.b)) return true;
    return visit_all(node.body) || visit_all(node.elifs) || visit_all(node.else_body);
  }

 private:
  bool is_content(const Node& node) const {
    switch (node.kind) {
      case Kind::kGetattr:
        return node.name == "content";
      case Kind::kGetitem:
        return (node.b->kind == Kind::kConst && node.b->constant.is_str() && str_of(node.b->constant) == "content") ||
               (node.b->kind == Kind::kSlice && is_content(*node.a));
      case Kind::kName:
        return names_.contains(node.name);
      case Kind::kFilter:
      case Kind::kTest:
        return node.a && is_content(*node.a);
      case Kind::kCond:
        return is_content(*node.a) || (node.c && is_content(*node.c));
      case Kind::kOr:
        return is_content(*node.a) || is_content(*node.b);
      default:
        return false;
    }
  }

  std::set<std::string> names_;
};

}  // namespace

bool loops_over_content(const Program& program) { return ContentFinder().visit_all(program.body); }

}  // namespace seraph::jinja
