// Compiles what answers are constrained to, on the worker pool: one cache of grammars for the process, and the
// vocabulary as the grammars see it. Any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/errors.h"
#include "daemon/api/structured.h"
#include "engine/grammar/constraint.h"
#include "engine/grammar/grammar_cache.h"
#include "engine/text/reasoning_parser.h"
#include "engine/text/tokenizer.h"

namespace seraph {

class ConstraintCompiler {
 public:
  struct Args {
    const Tokenizer* tokenizer = nullptr;
    std::string_view tool_parser;       // whose markers forced calls are written with; "" for none
    std::string_view reasoning_parser;  // "" for none
    size_t cache_bytes_max = 0;
  };
  explicit ConstraintCompiler(const Args& args);

  /// Errors: 400 that names what cannot be enforced. `thinking` says where the answer's text begins.
  std::optional<ApiError> compile(const ConstraintSource& source, ThinkingStart thinking,
                                  std::shared_ptr<const Constraint>& out) const;

 private:
  struct Vocabulary {
    std::unique_ptr<GrammarCache> cache;
    std::shared_ptr<const ThinkingMarks> marks;  // null: the model does not think
  };
  Vocabulary make_vocabulary(const Args& args, std::shared_ptr<const TokenTable> tokens) const;

  Vocabulary plain_;
  std::optional<Vocabulary> with_markers_;  // where the tool parser's markers are tokens beside the vocabulary
};

}  // namespace seraph
