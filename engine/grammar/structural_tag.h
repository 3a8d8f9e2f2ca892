// Structural tags: free text in which a trigger begins constrained text. The older form (structures and triggers) and
// the newer one (format: const_string, json_schema, any_text, sequence, or, tag, triggered_tags, tags_with_separator,
// regex, grammar, qwen_xml_parameter).
#pragma once

#include "engine/base/json.h"
#include "engine/grammar/grammar.h"

namespace seraph::grammar {

/// Adds the rules of the tag; gives that of the whole text. `tag` must outlive the builder.
RuleId add_structural_tag(GrammarBuilder& builder, const Json& tag);

}  // namespace seraph::grammar
