#include "daemon/cli/yaml.h"

#include <spdlog/fmt/fmt.h>
#include <yaml.h>

#include <charconv>
#include <string>

namespace seraph {
namespace {

constexpr int kDepthMax = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Parser() {
    drop_event();
    yaml_parser_delete(&parser_);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  Result<Json> document() {
    SERAPH_RETURN_IF_ERROR(next());  // the stream's start
    SERAPH_RETURN_IF_ERROR(next());
    if (event_.type == YAML_STREAM_END_EVENT) return Json();
    SERAPH_RETURN_IF_ERROR(next());
    SERAPH_ASSIGN_OR_RETURN(Json value, node(0));
    SERAPH_RETURN_IF_ERROR(next());  // the document's end
    SERAPH_RETURN_IF_ERROR(next());
    if (event_.type != YAML_STREAM_END_EVENT) return error_here("a second document");
    return value;
  }

 private:
  void drop_event() {
    if (has_event_) yaml_event_delete(&event_);
    has_event_ = false;
  }

  Error error_here(std::string_view what) const {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("line {}, column {}: {}", event_.start_mark.line + 1, event_.start_mark.column + 1, what)};
  }

  Status next() {
    drop_event();
    if (yaml_parser_parse(&parser_, &event_) == 0) {
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("line {}, column {}: {}", parser_.problem_mark.line + 1, parser_.problem_mark.column + 1,
                               parser_.problem != nullptr ? parser_.problem : "no YAML")};
    }
    has_event_ = true;
    return {};
  }

  /// The value that begins with the current event.
  Result<Json> node(int depth) {
    if (depth > kDepthMax) return error_here(fmt::format("nested deeper than {}", kDepthMax));
    switch (event_.type) {
      case YAML_SCALAR_EVENT:
        if (event_.data.scalar.anchor != nullptr || event_.data.scalar.tag != nullptr) {
          return error_here("anchors and tags are not supported");
        }
        return scalar();
      case YAML_SEQUENCE_START_EVENT:
        if (event_.data.sequence_start.anchor != nullptr) return error_here("anchors are not supported");
        return sequence(depth);
      case YAML_MAPPING_START_EVENT:
        if (event_.data.mapping_start.anchor != nullptr) return error_here("anchors are not supported");
        return mapping(depth);
      default:
        return error_here("aliases are not supported");
    }
  }

  Result<Json> sequence(int depth) {
    Json::Array items;
    for (;;) {
      SERAPH_RETURN_IF_ERROR(next());
      if (event_.type == YAML_SEQUENCE_END_EVENT) return Json(std::move(items));
      SERAPH_ASSIGN_OR_RETURN(Json item, node(depth + 1));
      items.push_back(std::move(item));
    }
  }

  Result<Json> mapping(int depth) {
    Json object{Json::Object{}};
    for (;;) {
      SERAPH_RETURN_IF_ERROR(next());
      if (event_.type == YAML_MAPPING_END_EVENT) return object;
      if (event_.type != YAML_SCALAR_EVENT) return error_here("a key must be a plain word");
      const std::string key(reinterpret_cast<const char*>(event_.data.scalar.value), event_.data.scalar.length);
      if (object.find(key) != nullptr) return error_here(fmt::format("'{}' stands twice", key));
      SERAPH_RETURN_IF_ERROR(next());
      SERAPH_ASSIGN_OR_RETURN(Json value, node(depth + 1));
      object.set(key, std::move(value));
    }
  }

  Json scalar() const {
    const std::string_view text(reinterpret_cast<const char*>(event_.data.scalar.value), event_.data.scalar.length);
    if (event_.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return Json(text);
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return Json();
    for (const char* word : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
      if (text == word) return Json(true);
    }
    for (const char* word : {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
      if (text == word) return Json(false);
    }
    int64_t number = 0;
    const char* end = text.data() + text.size();
    if (const auto parsed = std::from_chars(text.data(), end, number); parsed.ec == std::errc{} && parsed.ptr == end) {
      return Json(number);
    }
    double real = 0;
    const bool may_be_number = text.find_first_of("0123456789") != std::string_view::npos;
    if (const auto parsed = std::from_chars(text.data(), end, real);
        may_be_number && parsed.ec == std::errc{} && parsed.ptr == end) {
      return Json(real);
    }
    return Json(text);
  }

  yaml_parser_t parser_ = {};
  yaml_event_t event_ = {};
  bool has_event_ = false;
};

}  // namespace

Result<Json> parse_yaml(std::string_view text) { return Parser(text).document(); }

}  // namespace seraph
