#include "daemon/api/sampling.h"

#include <gtest/gtest.h>

#include <string>

#include "daemon/api/body.h"

namespace seraph {
namespace {

const Tokenizer& tokenizer() {
  static const auto kTokenizer = Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model").value();
  return *kTokenizer;
}

struct Read {
  std::optional<ApiError> error;
  GenerationParams params;
};

constexpr TokenId kEosIds[] = {770, 772};

Read read(Endpoint endpoint, const std::string& members, const ApiOptions& options = {}) {
  Json body;
  Read out;
  const std::string base = endpoint == kChat ? R"({"messages":[{"role":"user","content":"x"}])" : R"({"prompt":"x")";
  EXPECT_FALSE(parse_body(base + (members.empty() ? "" : "," + members) + "}", body)) << members;
  out.error = check_fields(body, endpoint, {});
  if (!out.error)
    out.error = read_params(body, endpoint, options,
                            {.vocab_size = 777, .max_model_len = 512, .tokenizer = &tokenizer(), .eos_ids = kEosIds},
                            out.params);
  return out;
}

TEST(SamplingTest, DefaultsAreVllms) {
  const GenerationParams chat = read(kChat, "").params;
  EXPECT_FLOAT_EQ(chat.sampling.temperature, 1.0F);
  EXPECT_FALSE(chat.max_tokens);
  EXPECT_EQ(chat.sampling.num_logprobs, -1);
  EXPECT_EQ(read(kCompletions, "").params.max_tokens, 16);
  EXPECT_EQ(read(kCompletions, R"("max_tokens":null)").params.max_tokens, 16);
}

TEST(SamplingTest, TheCheckpointsDefaultsFillGaps) {
  ApiOptions options;
  options.sampling.temperature = 0.7;
  options.sampling.top_k = 20;
  options.sampling.max_new_tokens = 10;
  const GenerationParams params = read(kChat, R"("top_k":5)", options).params;
  EXPECT_FLOAT_EQ(params.sampling.temperature, 0.7F);
  EXPECT_EQ(params.sampling.top_k, 5);
  int32_t tokens_max = 0;
  EXPECT_FALSE(plan_tokens_max(params, 5, 512, tokens_max));
  EXPECT_EQ(tokens_max, 10);
}

TEST(SamplingTest, WrongBiasKeysGiveAShortAnswer) {
  std::string keys;
  for (int i = 0; i < 10'000; ++i) keys += (i == 0 ? "" : ",") + ("\"x" + std::to_string(i)) + "\":1";
  const std::string message = read(kChat, R"("logit_bias":{)" + keys + "}").error->message;
  EXPECT_LT(message.size(), 2'000U);
  EXPECT_NE(message.find("'x0', 'x1'"), std::string::npos) << message;
}

TEST(SamplingTest, StopIdsAreDistinct) {
  // The engine looks through them for every token it draws: a body of repetitions must not slow down the others.
  const GenerationParams params = read(kChat, R"("stop_token_ids":[7,5,7,7,5])").params;
  EXPECT_EQ(params.sampling.stop_token_ids, (std::vector<TokenId>{5, 7}));
}

TEST(SamplingTest, OutputLimits) {
  EXPECT_EQ(read(kChat, R"("max_tokens":9,"max_completion_tokens":4)").params.max_tokens, 4);
  EXPECT_EQ(read(kChat, R"("max_tokens":100000)").error->message,
            "max_tokens=100000 cannot be greater than max_model_len=512. Please request fewer output tokens. "
            "(parameter=max_tokens, value=100000)");
  int32_t tokens_max = 0;
  const GenerationParams open = read(kChat, "").params;
  EXPECT_FALSE(plan_tokens_max(open, 21, 512, tokens_max));
  EXPECT_EQ(tokens_max, 491);
  EXPECT_FALSE(plan_tokens_max(read(kChat, R"("max_tokens":505)").params, 21, 512, tokens_max));
  EXPECT_EQ(tokens_max, 491);
  EXPECT_EQ(plan_tokens_max(open, 512, 512, tokens_max)->message,
            "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)");
  EXPECT_EQ(plan_tokens_max(open, 600, 512, tokens_max)->param, "input_tokens");
  EXPECT_EQ(plan_tokens_max(read(kChat, R"("max_tokens":0)").params, 5, 512, tokens_max)->param, "max_tokens");
  EXPECT_EQ(plan_tokens_max(read(kChat, R"("max_tokens":12,"min_tokens":13)").params, 5, 512, tokens_max)->message,
            "min_tokens must be less than or equal to max_tokens=12, got 13.");
  EXPECT_EQ(plan_tokens_max(open, 0, 512, tokens_max)->message, "The decoder prompt cannot be empty");
}

TEST(SamplingTest, EchoWithoutOutputRunsOneToken) {
  const GenerationParams params = read(kCompletions, R"("echo":true,"max_tokens":0)").params;
  EXPECT_TRUE(params.echo_only);
  EXPECT_EQ(params.max_tokens, 1);
}

TEST(SamplingTest, LogprobRules) {
  EXPECT_EQ(read(kChat, R"("top_logprobs":2)").error->param, "top_logprobs");
  EXPECT_EQ(read(kChat, R"("logprobs":true,"top_logprobs":21)").error->param, "logprobs");
  EXPECT_EQ(read(kChat, R"("logprobs":true,"top_logprobs":-1)").error->message,
            "Requested sample logprobs of 777, which is greater than max allowed: 20 (parameter=logprobs, value=777)");
  ApiOptions unlimited;
  unlimited.max_logprobs = -1;
  EXPECT_EQ(read(kChat, R"("logprobs":true,"top_logprobs":-1)", unlimited).params.sampling.num_logprobs, 777);
  EXPECT_EQ(read(kChat, R"("logprobs":true)").params.sampling.num_logprobs, 0);
  EXPECT_EQ(read(kCompletions, R"("logprobs":3)").params.sampling.num_logprobs, 3);
  EXPECT_EQ(read(kCompletions, R"("logprobs":3,"echo":true)").params.sampling.num_prompt_logprobs, 3);
  EXPECT_EQ(read(kCompletions, R"("echo":true)").params.sampling.num_prompt_logprobs, -1);
  EXPECT_EQ(read(kChat, R"("prompt_logprobs":1,"stream":true)").error->param, "prompt_logprobs");
  EXPECT_FALSE(read(kChat, R"("prompt_logprobs":0,"stream":true)").error);
}

TEST(SamplingTest, LogitBiasIsClampedAndChecked) {
  const auto bias = read(kChat, R"("logit_bias":{"5":1000,"7":-3})").params.sampling.logit_bias;
  ASSERT_EQ(bias.size(), 2U);
  EXPECT_EQ(bias[0], (std::pair<TokenId, float>(5, 100.0F)));
  EXPECT_EQ(read(kChat, R"("logit_bias":{"x":1})").error->message,
            "logit_bias contains key(s) that cannot be converted to integer token IDs: ['x'] (parameter=logit_bias, "
            "value=['x'])");
  EXPECT_EQ(read(kChat, R"("logit_bias":{"-1":1})").error->message,
            "token_id(s) [-1] in logit_bias contain out-of-vocab token ids. Vocabulary size: 777 "
            "(parameter=logit_bias, value=[-1])");
}

TEST(SamplingTest, StreamOptions) {
  EXPECT_EQ(read(kChat, R"("stream_options":{"include_usage":true})").error->param, "stream_options");
  EXPECT_FALSE(read(kChat, R"("stream_options":{})").error);
  EXPECT_FALSE(read(kChat, R"("stream":true,"stream_options":{"continuous_usage_stats":true})").params.include_usage);
  EXPECT_TRUE(read(kChat, R"("stream":true,"stream_options":{"include_usage":true})").params.include_usage);
  ApiOptions forced;
  forced.force_include_usage = true;
  EXPECT_TRUE(read(kChat, R"("stream":true)", forced).params.continuous_usage);
}

TEST(SamplingTest, ChoicesAndSeeds) {
  EXPECT_EQ(read(kChat, R"("n":3,"temperature":0)").error->message, "n must be 1 when using greedy sampling, got 3.");
  EXPECT_TRUE(read(kChat, R"("n":16385)").error);
  EXPECT_FALSE(read(kChat, R"("seed":-1)").params.seeded);
  EXPECT_EQ(read(kChat, R"("seed":7)").params.sampling.seed, 7U);
  EXPECT_EQ(read(kChat, R"("stop":[""])").error->message, "stop cannot contain an empty string.");
}

TEST(SamplingTest, AllowedIdsAreDistinctAndInTheVocabulary) {
  EXPECT_EQ(read(kChat, R"("allowed_token_ids":[7,"5",7])").params.sampling.allowed_ids, (std::vector<TokenId>{5, 7}));
  EXPECT_EQ(read(kChat, R"("allowed_token_ids":[])").error->message,
            "allowed_token_ids is not None and empty! (parameter=allowed_token_ids, value=[])");
  EXPECT_EQ(read(kChat, R"("allowed_token_ids":[-1])").error->message,
            "allowed_token_ids contains out-of-vocab token id! (parameter=allowed_token_ids, value=[-1])");
  EXPECT_TRUE(read(kChat, R"("allowed_token_ids":[777])").error);
  EXPECT_FALSE(read(kChat, R"("bad_words":[],"allowed_token_ids":null)").error);
}

TEST(SamplingTest, AllowedIdsThatMayNotComeFirstAreRefused) {
  for (const char* members : {R"("allowed_token_ids":[772],"min_tokens":3)",
                              R"("allowed_token_ids":[772,5],"min_tokens":1,"stop_token_ids":[5],"ignore_eos":true)"}) {
    const auto error = read(kCompletions, members).error;
    ASSERT_TRUE(error) << members;
    EXPECT_EQ(error->status, 400);
    EXPECT_NE(error->message.find("allowed_token_ids"), std::string::npos);
  }
  EXPECT_FALSE(read(kCompletions, R"("allowed_token_ids":[772])").error);
  EXPECT_FALSE(read(kCompletions, R"("allowed_token_ids":[772,6],"min_tokens":3)").error);
  const std::string word = "\"bad_words\":[\"a\"]";
  const auto ids = read(kCompletions, word).params.sampling.bad_words;
  ASSERT_FALSE(ids.empty() || ids[0].size() != 1) << "a word of one token";
  std::string all;
  for (const auto& id : ids) all += (all.empty() ? "" : ",") + std::to_string(id[0]);
  EXPECT_TRUE(read(kCompletions, word + ",\"allowed_token_ids\":[" + all + ']').error);
  EXPECT_FALSE(read(kCompletions, word + ",\"allowed_token_ids\":[" + all + ",7]").error);
}

TEST(SamplingTest, BadWordsCountWithAndWithoutASpaceInFront) {
  const auto words = read(kChat, R"("bad_words":[" The"])").params.sampling.bad_words;
  ASSERT_FALSE(words.empty());
  EXPECT_EQ(tokenizer().decode(words[0], false), "The") << "white space in front does not count";
  for (size_t i = 1; i < words.size(); ++i) EXPECT_EQ(tokenizer().decode(words[i], false), " The");
  EXPECT_TRUE(read(kChat, R"("bad_words":[""])").error);
  std::string many = R"("bad_words":["a")";
  for (int i = 0; i < 128; ++i) many += R"(,"a")";
  EXPECT_NE(read(kChat, many + "]").error->message.find("at most 128"), std::string::npos);
}

TEST(SamplingTest, BestOfIsAtLeastNAndNotGreedy) {
  EXPECT_EQ(read(kChat, R"("n":2,"best_of":3)").params.best_of, 3);
  EXPECT_EQ(read(kChat, R"("n":2)").params.best_of, 2);
  EXPECT_TRUE(read(kChat, R"("best_of":2,"stream":true)").params.whole_events);
  EXPECT_EQ(read(kChat, R"("n":2,"best_of":1)").error->message,
            "best_of must be greater than or equal to n, got n=2 and best_of=1.");
  EXPECT_EQ(read(kChat, R"("best_of":2,"temperature":0)").error->message,
            "best_of must be 1 when using greedy sampling, got 2.");
  EXPECT_TRUE(read(kChat, R"("best_of":16385)").error);
}

TEST(SamplingTest, BeamsTakeNAndRefuseWhatTheyCannotHonour) {
  const auto beams = [](const std::string& more) { return read(kChat, R"("use_beam_search":true,"n":2)" + more); };
  const GenerationParams params =
      beams(R"(,"temperature":0,"length_penalty":0.5,"early_stopping":true,"stream":true)").params;
  EXPECT_TRUE(params.beam_search && params.early_stopping && params.whole_events);
  EXPECT_EQ(params.length_penalty, 0.5);
  EXPECT_FALSE(beams(R"(,"early_stopping":"never","logit_bias":{},"bad_words":[],"min_tokens":0)").error);
  for (const char* more : {R"(,"early_stopping":3)", R"(,"logit_bias":{"1":1})", R"(,"min_tokens":1)",
                           R"(,"presence_penalty":1)", R"(,"length_penalty":1e9)", R"(,"best_of":3)",
                           R"(,"bad_words":["a"])", R"(,"allowed_token_ids":[1])", R"(,"prompt_logprobs":1)"}) {
    EXPECT_TRUE(beams(more).error) << more;
  }
  EXPECT_TRUE(read(kChat, R"("use_beam_search":true,"n":257)").error);
  EXPECT_EQ(read(kCompletions, R"("use_beam_search":true,"stream":true)").error->message,
            "Streaming is not currently supported with beam search");
}

TEST(SamplingTest, LogitsProcessorsAreRefusedInPlainWords) {
  EXPECT_EQ(read(kChat, R"("logits_processors":["x"])").error->param, "logits_processors");
  EXPECT_FALSE(read(kChat, R"("logits_processors":[])").error);
}

TEST(SamplingTest, StopStringsAndBadWordsAreBounded) {
  EXPECT_FALSE(read(kChat, R"("stop":")" + std::string(65'536, 's') + '"').error);
  EXPECT_EQ(read(kChat, R"("stop":")" + std::string(65'537, 's') + '"').error->message,
            "a stop string has 65537 bytes, at most 65536 are taken");
  std::string longer;
  for (int i = 0; i < 600; ++i) longer += "x7";
  EXPECT_TRUE(read(kChat, R"("bad_words":[")" + longer + R"("])").params.sampling.bad_words.empty())
      << "no answer is that long";
  std::string words;
  for (int i = 0; i < 128; ++i) words += (i == 0 ? "\"" : ",\"") + longer.substr(0, 500) + std::to_string(i) + '"';
  const Read many = read(kChat, R"("bad_words":[)" + words + ']');
  ASSERT_TRUE(many.error);
  EXPECT_EQ(many.error->message, "bad_words holds more than 16384 tokens");
}

}  // namespace
}  // namespace seraph
