#include "daemon/api/pooling_task.h"

#include <gtest/gtest.h>

#include "tests/daemon/api/fake_exchange.h"

namespace seraph {
namespace {

class PoolingTaskTest : public testing::Test {
 protected:
  PoolingTaskTest() : metrics_("m", {}) {
    options_.served_model_names = {"m"};
    info_.pooling = {.task = PoolingInfo::Task::kEmbed, .pooling = Pooling::kMean, .width = 1};
    services_ = {.cancel = [this](RequestId id) { cancelled_.push_back(id); },
                 .run =
                     [](const std::function<void()>& work, const std::function<void()>& done) {
                       work();
                       done();
                     },
                 .info = &info_,
                 .options = &options_,
                 .metrics = &metrics_};
    PreparedPooling prepared{.prompts = {{1, 2}, {3}}, .prompt_tokens = 3, .priority = 4};
    task_ = std::make_unique<PoolingTask>(PoolingTask::Args{
        .services = &services_, .exchange = exchange_, .id = "embd-1", .prepared = std::move(prepared)});
    for (size_t i = 0; i < task_->num_sequences(); ++i) requests_.push_back(task_->make_request(i, 100 + i));
  }

  void give(size_t sequence, float value) {
    Event event;
    event.finish = FinishReason::kStop;
    event.pooled = std::make_unique<std::vector<float>>(1, value);
    EXPECT_TRUE(task_->on_event(sequence, event));
  }

  EngineInfo info_;
  ApiOptions options_;
  ApiMetrics metrics_;
  PoolingServices services_;
  std::shared_ptr<FakeExchange> exchange_ = std::make_shared<FakeExchange>();
  std::unique_ptr<PoolingTask> task_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<RequestId> cancelled_;
};

TEST_F(PoolingTaskTest, AnswersWhenEveryPromptHasItsVectorInOrderOfThePrompts) {
  EXPECT_EQ(requests_[0]->prompt_ids, (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(requests_[0]->pooling, Pooling::kMean);
  EXPECT_EQ(requests_[0]->priority, 4);
  give(1, 20);
  EXPECT_EQ(exchange_->status, 0);
  EXPECT_EQ(task_->open_requests(), (std::vector<RequestId>{100}));
  give(0, 10);
  EXPECT_TRUE(task_->over());
  ASSERT_EQ(exchange_->status, 200);
  EXPECT_LT(exchange_->body.find("\"embedding\":[10]"), exchange_->body.find("\"embedding\":[20]"));
}

TEST_F(PoolingTaskTest, AnErrorEndsTheRequestOnceAndTheOthersAreCancelled) {
  Event event;
  event.finish = FinishReason::kError;
  event.error = std::make_unique<std::string>("broken");
  EXPECT_TRUE(task_->on_event(0, event));
  EXPECT_EQ(exchange_->status, 500);
  EXPECT_NE(exchange_->body.find("broken"), std::string::npos);
  EXPECT_EQ(cancelled_, (std::vector<RequestId>{100, 101}));
  give(1, 20);
  EXPECT_EQ(cancelled_.size(), 2U);
}

TEST_F(PoolingTaskTest, AClientThatIsGoneGetsNoAnswer) {
  give(0, 10);
  task_->abandon();
  EXPECT_EQ(cancelled_, (std::vector<RequestId>{101}));
  EXPECT_EQ(exchange_->status, 0);
  EXPECT_TRUE(task_->over());
}

}  // namespace
}  // namespace seraph
