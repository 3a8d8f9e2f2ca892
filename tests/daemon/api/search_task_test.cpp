#include "daemon/api/search_task.h"

#include <gtest/gtest.h>

#include "tests/daemon/api/fake_exchange.h"

namespace seraph {
namespace {

class SearchTaskTest : public testing::Test {
 protected:
  SearchTaskTest() : tokenizer_(Tokenizer::load(SERAPH_TEST_DATA "/golden/api/model").value()), metrics_("tiny", {}) {
    options_.served_model_names = {"tiny"};
    services_.cancel = [this](RequestId id) { cancelled_.push_back(id); };
    services_.tokenizer = tokenizer_.get();
    services_.options = &options_;
    services_.metrics = &metrics_;
    prepared_.role = "assistant";
    prepared_.prompts.push_back({.ids = {1, 2, 3}, .tokens_max = 2});
    prepared_.params.n = 2;
    prepared_.params.return_token_ids = true;
  }

  SearchTask::Args args() {
    return {.answer = std::make_unique<Generation>(Generation::Args{.services = &services_,
                                                                    .exchange = exchange_,
                                                                    .endpoint = kChat,
                                                                    .id = "id-1",
                                                                    .prepared = prepared_,
                                                                    .random = [] { return uint64_t{99}; }}),
            .cancel = services_.cancel,
            .tokenizer = tokenizer_.get(),
            .eos_ids = {772},
            .random = [this] { return ++random_; }};
  }
  /// What the dispatcher does: submits what the task has grown by.
  std::vector<std::unique_ptr<Request>> submit(Task& task) {
    std::vector<std::unique_ptr<Request>> out;
    while (task.num_submitted < task.num_sequences()) {
      out.push_back(task.make_request(task.num_submitted, 100 + task.num_submitted));
      ++task.num_submitted;
    }
    return out;
  }
  static Event event_of(PositionLogprobs logprobs, FinishReason finish) {
    Event event;
    event.token = logprobs.front().id;
    event.finish = finish;
    event.scheduled_us = 1;
    event.logprobs = std::make_unique<PositionLogprobs>(std::move(logprobs));
    return event;
  }
  Json choices() const { return *Json::parse(exchange_->body).value().find("choices"); }
  std::vector<int64_t> ids_of(size_t choice) const {
    std::vector<int64_t> out;
    const Json all = choices();
    for (const Json& id : all.as_array()[choice].find("token_ids")->as_array()) out.push_back(id.as_int());
    return out;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  ApiOptions options_;
  ApiMetrics metrics_;
  GenerationServices services_;
  PreparedGeneration prepared_;
  std::shared_ptr<FakeExchange> exchange_ = std::make_shared<FakeExchange>();
  std::vector<RequestId> cancelled_;
  uint64_t random_ = 0;
};

TEST_F(SearchTaskTest, BeamsGrowStepByStepAndAreShownBestFirst) {
  prepared_.params.beam_search = true;
  BeamTask task(args());
  auto requests = submit(task);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0]->sampling.tokens_max, 1);
  EXPECT_EQ(requests[0]->sampling.num_logprobs, 4);
  Event first = event_of({{10, -0.5F, 1}, {11, -1.0F, 2}, {12, -9.0F, 3}}, FinishReason::kLength);
  EXPECT_TRUE(task.on_event(0, first));
  requests = submit(task);
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[1]->prompt_ids, (std::vector<TokenId>{1, 2, 3, 11}));
  EXPECT_EQ(task.open_requests(), (std::vector<RequestId>{101, 102}));
  Event worse = event_of({{20, -5.0F, 1}}, FinishReason::kLength);
  Event better = event_of({{21, -0.1F, 1}}, FinishReason::kLength);
  EXPECT_TRUE(task.on_event(1, worse));
  EXPECT_FALSE(task.over());
  EXPECT_TRUE(task.on_event(2, better));
  ASSERT_TRUE(task.over());
  ASSERT_EQ(exchange_->status, 200);
  EXPECT_EQ(ids_of(0), (std::vector<int64_t>{11, 21}));
  EXPECT_EQ(ids_of(1), (std::vector<int64_t>{10, 20}));
  EXPECT_EQ(choices().as_array()[0].find("finish_reason")->as_string(), "length");
}

TEST_F(SearchTaskTest, TheBestOfSeveralAreTheMostLikely) {
  prepared_.params.n = 1;
  prepared_.params.best_of = 3;
  BestOfTask task(args());
  const auto requests = submit(task);
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_NE(requests[0]->sampling.seed, requests[1]->sampling.seed);
  EXPECT_EQ(requests[0]->sampling.num_logprobs, 0);
  for (size_t i = 0; i < 3; ++i) {
    const float logprob = i == 1 ? -0.1F : -2.0F;
    Event event = event_of({{static_cast<TokenId>(10 + i), logprob, 1}}, FinishReason::kLength);
    EXPECT_EQ(exchange_->status, 0);
    EXPECT_TRUE(task.on_event(i, event));
  }
  ASSERT_EQ(exchange_->status, 200);
  EXPECT_EQ(ids_of(0), (std::vector<int64_t>{11}));
  EXPECT_EQ(choices().as_array().size(), 1U);
}

TEST_F(SearchTaskTest, AFailureOrAClientThatIsGoneCancelsAllThatRuns) {
  prepared_.params.best_of = 3;
  BestOfTask fails(args());
  submit(fails);
  Event event;
  event.finish = FinishReason::kError;
  event.error = std::make_unique<std::string>("broken");
  EXPECT_TRUE(fails.on_event(2, event));
  EXPECT_EQ(exchange_->status, 500);
  EXPECT_TRUE(fails.over());
  for (const RequestId id : {100, 101, 102}) {
    EXPECT_NE(std::find(cancelled_.begin(), cancelled_.end(), id), cancelled_.end()) << id;
  }
  cancelled_.clear();
  BestOfTask gone(args());
  submit(gone);
  gone.abandon();
  EXPECT_TRUE(gone.over());
  EXPECT_GE(cancelled_.size(), 3U);
}

}  // namespace
}  // namespace seraph
