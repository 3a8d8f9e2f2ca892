#include "engine/grammar/structural_tag.h"

#include <algorithm>
#include <string>

#include "engine/grammar/ebnf.h"
#include "engine/grammar/regex_syntax.h"
#include "engine/grammar/schema_emitter.h"

namespace seraph::grammar {
namespace {

const Json& member(const Json& object, const char* name, Json::Kind kind, const char* what) {
  const Json* value = object.find(name);
  if (value == nullptr || value->kind() != kind) {
    fail_invalid(fmt::format("structural_tag: {} needs \"{}\" of the right type", what, name));
  }
  return *value;
}

bool flag(const Json& object, const char* name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::vector<std::string> string_list(const Json& list, const char* what) {
  std::vector<std::string> out;
  if (list.is_string()) return {list.as_string()};
  if (!list.is_array()) fail_invalid(fmt::format("structural_tag: {} must be strings", what));
  for (const Json& item : list.as_array()) {
    if (!item.is_string()) fail_invalid(fmt::format("structural_tag: {} must be strings", what));
    out.push_back(item.as_string());
  }
  return out;
}

class TagWriter {
 public:
  explicit TagWriter(GrammarBuilder& builder) : builder_(builder), budget_(builder.budget()) {}

  RuleId rule_of_format(const Json& format, int32_t depth) {
    const RuleId rule = builder_.declare_rule();
    ByteNfa nfa(budget_);
    const int32_t start = nfa.add_state();
    const int32_t end = add_format(nfa, start, format, depth);
    builder_.define_rule(rule, nfa, start, end);
    return rule;
  }

  RuleId rule_of_triggers(const Json::Array& tags, const std::vector<std::string>& triggers, bool at_least_one,
                          bool stop_after_first, const char* schema_name, int32_t depth) {
    if (triggers.empty()) fail_invalid("structural_tag: triggers must not be empty");
    if (tags.empty()) fail_invalid("structural_tag: the list of tags must not be empty");
    for (const std::string& trigger : triggers) {
      if (trigger.empty()) fail_invalid("structural_tag: a trigger must not be empty");
    }
    const RuleId rule = builder_.declare_rule();
    ByteNfa nfa(budget_);
    const int32_t start = nfa.add_state(), end = nfa.add_state(), after = nfa.add_state();
    const CharDfa free_text = text_without(triggers);
    const int32_t before = at_least_one ? start : nfa.add_language(start, free_text, Spelling::kRaw, -1);
    if (!at_least_one) nfa.add_epsilon(before, end);
    for (const Json& tag : tags) {
      const std::string& begin = member(tag, "begin", Json::Kind::kString, "a tag").as_string();
      const bool triggered = std::any_of(triggers.begin(), triggers.end(), [&](const std::string& trigger) {
        return begin.substr(0, trigger.size()) == trigger;
      });
      if (!triggered) fail_invalid(fmt::format("structural_tag: the tag \"{:.100}\" begins with no trigger", begin));
      nfa.add_epsilon(add_tag(nfa, before, tag, schema_name, depth), after);
    }
    if (stop_after_first) {
      nfa.add_epsilon(after, end);
    } else {
      const int32_t more = nfa.add_language(after, free_text, Spelling::kRaw, -1);
      nfa.add_epsilon(more, end);
      if (!at_least_one) {
        nfa.add_epsilon(after, start);
      } else {
        for (const Json& tag : tags) nfa.add_epsilon(add_tag(nfa, more, tag, schema_name, depth), after);
      }
    }
    builder_.define_rule(rule, nfa, start, end);
    return rule;
  }

 private:
  /// Texts in which none of the words occurs.
  CharDfa text_without(const std::vector<std::string>& words) {
    CharNfa nfa;
    const int32_t start = nfa.add_state(), found = nfa.add_state();
    const CharSet any = {{0, kCharMax}};
    nfa.add_edge(start, any, start);
    nfa.add_edge(found, any, found);
    for (const std::string& word : words) {
      int32_t state = start;
      for (const uint32_t c : decode_text(word)) {
        const int32_t next = nfa.add_state();
        nfa.add_edge(state, {{c, c}}, next);
        state = next;
      }
      nfa.add_epsilon(state, found);
    }
    return complement(determinize(nfa, start, found, budget_), budget_);
  }

  RuleId schema_rule(const Json& schema) { return SchemaEmitter(builder_, schema, JsonStyle{}).emit(); }

  int32_t add_call(ByteNfa& nfa, int32_t from, RuleId rule) {
    const int32_t to = nfa.add_state();
    nfa.add_call(from, rule, to);
    return to;
  }

  /// begin, content, end; the content is a schema in the older form, a format in the newer one.
  int32_t add_tag(ByteNfa& nfa, int32_t from, const Json& tag, const char* schema_name, int32_t depth) {
    const int32_t own = nfa.add_state();
    nfa.add_epsilon(from, own);
    const std::string& begin = member(tag, "begin", Json::Kind::kString, "a tag").as_string();
    const int32_t inside = nfa.add_literal(own, begin);
    const Json* end_member = tag.find("end");
    if (end_member == nullptr) fail_invalid("structural_tag: a tag needs \"end\"");
    const std::vector<std::string> ends = string_list(*end_member, "\"end\"");
    if (ends.empty()) fail_invalid("structural_tag: \"end\" must not be an empty list");
    int32_t written = inside;
    if (schema_name != nullptr) {
      const Json* schema = tag.find(schema_name);
      if (schema == nullptr) fail_invalid("structural_tag: a structure needs \"schema\"");
      written = add_call(nfa, inside, schema_rule(*schema));
    } else {
      written = add_content(nfa, inside, member(tag, "content", Json::Kind::kObject, "a tag"), ends, depth + 1);
    }
    const int32_t done = nfa.add_state();
    for (const std::string& end : ends) nfa.add_epsilon(nfa.add_literal(written, end), done);
    return done;
  }

  int32_t add_content(ByteNfa& nfa, int32_t from, const Json& content, const std::vector<std::string>& ends,
                      int32_t depth) {
    const Json* type = content.find("type");
    const bool is_any_text = type != nullptr && type->is_string() && type->as_string() == "any_text";
    if (!is_any_text) return add_call(nfa, from, rule_of_format(content, depth));
    std::vector<std::string> words = excluded_words(content);
    for (const std::string& end : ends) {
      if (!end.empty()) words.push_back(end);
    }
    return nfa.add_language(from, text_without(words), Spelling::kRaw, -1);
  }

  static std::vector<std::string> excluded_words(const Json& format) {
    const Json* excludes = format.find("excludes");
    std::vector<std::string> words =
        excludes == nullptr ? std::vector<std::string>{} : string_list(*excludes, "\"excludes\"");
    std::erase(words, "");
    return words;
  }

  int32_t add_format(ByteNfa& nfa, int32_t from, const Json& format, int32_t depth) {
    budget_.check_depth(depth);
    const std::string& type = member(format, "type", Json::Kind::kString, "a format").as_string();
    if (type == "const_string")
      return nfa.add_literal(from, member(format, "value", Json::Kind::kString, "const_string").as_string());
    if (type == "json_schema") return add_call(nfa, from, schema_rule(schema_member(format)));
    if (type == "any_text") return nfa.add_language(from, text_without(excluded_words(format)), Spelling::kRaw, -1);
    if (type == "regex") {
      const std::string& pattern = member(format, "pattern", Json::Kind::kString, "regex").as_string();
      return nfa.add_language(from, compile_regex_dfa(pattern, RegexDialect::kPython, budget_), Spelling::kRaw, -1);
    }
    if (type == "grammar") {
      return add_call(nfa, from,
                      add_ebnf(builder_, member(format, "grammar", Json::Kind::kString, "grammar").as_string()));
    }
    if (type == "sequence") {
      for (const Json& part : member(format, "elements", Json::Kind::kArray, "sequence").as_array()) {
        from = add_call(nfa, from, rule_of_format(part, depth + 1));
      }
      return from;
    }
    if (type == "or") {
      const int32_t end = nfa.add_state();
      for (const Json& part : member(format, "elements", Json::Kind::kArray, "or").as_array()) {
        nfa.add_call(from, rule_of_format(part, depth + 1), end);
      }
      return end;
    }
    if (type == "tag") return add_tag(nfa, from, format, nullptr, depth);
    if (type == "triggered_tags") {
      const auto& tags = member(format, "tags", Json::Kind::kArray, "triggered_tags").as_array();
      const auto triggers = string_list(member(format, "triggers", Json::Kind::kArray, "triggered_tags"), "triggers");
      if (!excluded_words(format).empty())
        fail_unsupported("structural_tag: \"excludes\" of triggered_tags is not supported");
      return add_call(nfa, from,
                      rule_of_triggers(tags, triggers, flag(format, "at_least_one"), flag(format, "stop_after_first"),
                                       nullptr, depth + 1));
    }
    if (type == "tags_with_separator") return add_separated_tags(nfa, from, format, depth);
    if (type == "qwen_xml_parameter") return add_xml_parameters(nfa, from, schema_member(format));
    fail_invalid(fmt::format("structural_tag: the format type \"{:.100}\" does not exist", type));
  }

  static const Json& schema_member(const Json& format) {
    const Json* schema = format.find("json_schema");
    if (schema == nullptr) fail_invalid("structural_tag: the format needs \"json_schema\"");
    return *schema;
  }

  int32_t add_separated_tags(ByteNfa& nfa, int32_t from, const Json& format, int32_t depth) {
    const auto& tags = member(format, "tags", Json::Kind::kArray, "tags_with_separator").as_array();
    const std::string& separator = member(format, "separator", Json::Kind::kString, "tags_with_separator").as_string();
    if (tags.empty()) fail_invalid("structural_tag: the list of tags must not be empty");
    const int32_t begin = nfa.add_state(), after = nfa.add_state(), end = nfa.add_state();
    nfa.add_epsilon(from, begin);
    if (!flag(format, "at_least_one")) nfa.add_epsilon(from, end);
    for (const Json& tag : tags) nfa.add_epsilon(add_tag(nfa, begin, tag, nullptr, depth), after);
    nfa.add_epsilon(after, end);
    if (!flag(format, "stop_after_first")) nfa.add_epsilon(nfa.add_literal(after, separator), begin);
    return end;
  }

  /// <parameter=NAME>value</parameter> for each property, in order. Strings stand without quotes.
  int32_t add_xml_parameters(ByteNfa& nfa, int32_t from, const Json& schema) {
    const Json* properties = schema.find("properties");
    if (properties == nullptr || !properties->is_object())
      fail_invalid("structural_tag: qwen_xml_parameter needs properties");
    for (const auto& [keyword, value] : schema.as_object()) {
      constexpr std::string_view kKnown[] = {"type",   "properties",  "required", "additionalProperties",
                                             "$defs",  "definitions", "title",    "description",
                                             "$schema"};
      if (std::find(std::begin(kKnown), std::end(kKnown), keyword) == std::end(kKnown)) {
        fail_unsupported(fmt::format("structural_tag: qwen_xml_parameter cannot enforce {}", keyword));
      }
    }
    std::vector<std::string> required;
    if (const Json* list = schema.find("required")) required = string_list(*list, "required");
    SchemaEmitter emitter(builder_, schema, JsonStyle{});
    SchemaExpander& expander = emitter.expander();
    const Alternatives object = expander.expand(expander.root_expr());
    for (const auto& [name, value] : properties->as_object()) {
      const int32_t after = nfa.add_state(), own = nfa.add_state();
      nfa.add_epsilon(from, own);
      if (std::find(required.begin(), required.end(), name) == required.end()) nfa.add_epsilon(from, after);
      const int32_t inside = nfa.add_literal(nfa.add_space(own), "<parameter=" + name + ">");
      for (const Alternative& whole : object) {
        if (whole.type != JsonType::kObject) continue;
        for (const auto& rule : whole.object.rules) {
          if (rule.is_single && rule.name == name)
            nfa.add_epsilon(add_xml_value(nfa, inside, emitter, rule.value), after);
        }
      }
      from = after;
    }
    emitter.define_pending();
    return nfa.add_space(from);
  }

  int32_t add_xml_value(ByteNfa& nfa, int32_t from, SchemaEmitter& emitter, ExprId value) {
    constexpr std::string_view kEnd = "</parameter>";
    const Alternatives set = emitter.expander().expand(value);
    const int32_t end = nfa.add_state();
    const bool only_strings =
        std::all_of(set.begin(), set.end(), [](const auto& a) { return a.type == JsonType::kString; });
    if (!only_strings) {
      const int32_t written = add_call(nfa, nfa.add_space(from), emitter.rule_of(value));
      nfa.add_epsilon(nfa.add_literal(nfa.add_space(written), kEnd), end);
      return end;
    }
    const CharDfa without_end = text_without({std::string(kEnd)});
    for (const Alternative& text : set) {
      const CharDfa length = length_between(text.string.min_chars, text.string.max_chars, budget_);
      CharDfa language = intersect(emitter.expander().languages().dfa(text.string.language), without_end, budget_);
      if (text.string.min_chars > 0 || text.string.max_chars >= 0) language = intersect(language, length, budget_);
      const bool is_free = text.string == StringSet{};
      const int32_t begin = is_free ? from : nfa.add_space(from);
      const int32_t written = nfa.add_language(begin, language, Spelling::kRaw, -1);
      nfa.add_epsilon(nfa.add_literal(is_free ? written : nfa.add_space(written), kEnd), end);
    }
    return end;
  }

  GrammarBuilder& builder_;
  Budget& budget_;
};

}  // namespace

RuleId add_structural_tag(GrammarBuilder& builder, const Json& tag) {
  if (!tag.is_object()) fail_invalid("structural_tag must be an object");
  TagWriter writer(builder);
  if (const Json* format = tag.find("format")) return writer.rule_of_format(*format, 0);
  if (tag.find("structures") == nullptr)
    fail_invalid("structural_tag needs \"format\", or \"structures\" and \"triggers\"");
  return writer.rule_of_triggers(member(tag, "structures", Json::Kind::kArray, "the older form").as_array(),
                                 string_list(member(tag, "triggers", Json::Kind::kArray, "the older form"), "triggers"),
                                 false, false, "schema", 0);
}

}  // namespace seraph::grammar
