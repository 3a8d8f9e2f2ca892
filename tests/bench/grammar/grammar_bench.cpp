// Times of the grammar engine over a vocabulary: bench_grammar TOKENIZER_DIR < cases.jsonl. A case is
// {"schema": JSON text, "ids": [tokens of a valid text]}; its answer a line {"compile_ms", "mask_us": [one per token]},
// or
// {"error"}. Each grammar is new, with the cache that a server has after its start; compare.py drives it.
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "engine/grammar/grammar_cache.h"
#include "engine/grammar/matcher.h"

namespace seraph {
namespace {

/// Of this thread, so that other programs do not count.
double processor_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

Json measure(const Json& bench_case, GrammarCache& cache, const TokenTable& tokens) {
  const std::string& schema = bench_case.find("schema")->as_string();
  Json answer;
  const double begin = processor_us();
  const auto masks = cache.find_or_compile(schema, [&schema] { return compile_json_schema_text(schema); });
  answer.set("compile_ms", (processor_us() - begin) / 1000);
  if (!masks.ok()) {
    answer.set("error", masks.error().text());
    return answer;
  }
  Matcher matcher(*masks);
  std::vector<uint32_t> words(tokens.mask_words());
  Json::Array times;
  for (const Json& id : bench_case.find("ids")->as_array()) {
    const double step = processor_us();
    matcher.fill_mask(words, {});
    times.emplace_back(processor_us() - step);
    if (!matcher.accept_token(static_cast<int32_t>(id.as_int()))) {
      answer.set("error", "the text is not accepted");
      break;
    }
  }
  answer.set("mask_us", std::move(times));
  return answer;
}

int run(const char* tokenizer_dir) {
  const auto tokenizer = Tokenizer::load(tokenizer_dir);
  if (!tokenizer.ok()) {
    std::cerr << tokenizer.error().text() << '\n';
    return 2;
  }
  const auto tokens = TokenTable::from_tokenizer(**tokenizer);
  GrammarCache cache(tokens, size_t{256} << 20);
  cache.warm_up();
  for (std::string line; std::getline(std::cin, line);) {
    const auto bench_case = Json::parse(line);
    if (!bench_case.ok()) return 2;
    std::cout << measure(*bench_case, cache, *tokens).dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace seraph

int main(int argc, char** argv) {
  if (argc == 2) return seraph::run(argv[1]);
  std::fputs("usage: bench_grammar TOKENIZER_DIR < cases.jsonl\n", stderr);
  return 2;
}
