// `seraph check grammar`: which texts a constraint accepts, offline. One case or a file of them, one line of JSON each:
// {"compiled", "accepted", "position"?, "error"?}. Equal constraints in a file are compiled once. One thread.
#pragma once

#include <string>
#include <unordered_map>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/grammar/compiler.h"

namespace seraph {

struct CheckGrammarArgs {
  std::string json_path;   // a file with one case
  std::string jsonl_path;  // or a file with a case a line
};

/// Answers cases; keeps the last compiled constraints.
class GrammarChecker {
 public:
  /// A case is {"schema" | "regex" | "grammar" | "choice" | "structural_tag", "text"}. `position` is the byte of the
  /// text that is not accepted; its length when the text breaks off.
  Json answer(const Json& grammar_case);

 private:
  static constexpr size_t kCompiledMax = 64;
  const Result<GrammarPtr>& find_or_compile(const Json& grammar_case);

  std::unordered_map<std::string, Result<GrammarPtr>> compiled_;  // by the constraint's JSON
};

/// Reads the file that the arguments name and prints the answers. Exit status: 0; 2 when the file cannot be read or the
/// only case of a json_path does not compile.
int run_check_grammar(const CheckGrammarArgs& args);

}  // namespace seraph
