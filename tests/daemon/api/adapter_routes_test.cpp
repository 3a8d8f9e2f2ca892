#include "daemon/api/adapter_routes.h"

#include <gtest/gtest.h>
#include <uv.h>

#include <vector>

#include "tests/daemon/api/fake_exchange.h"

namespace seraph {
namespace {

class AdapterRoutesTest : public testing::Test {
 protected:
  AdapterRoutesTest()
      : registry_({.read = [](const std::string& dir, const Adapter*) -> Result<std::shared_ptr<const Adapter>> {
                     if (dir == "/no") return Error{ErrorCode::kNotFound, "nothing there"};
                     return std::make_shared<const Adapter>(Adapter{.id = 1, .version = 1});
                   },
                   .base_names = {"base"}}) {
    uv_loop_init(&loop_);
  }
  ~AdapterRoutesTest() override { uv_loop_close(&loop_); }

  std::shared_ptr<FakeExchange> post(const Router& router, const std::string& path, std::string body,
                                     const std::string& type = "application/json") {
    auto exchange = std::make_shared<FakeExchange>();
    exchange->request_.method = "POST";
    exchange->request_.path = path;
    exchange->request_.headers.push_back({"content-type", type});
    exchange->request_.body = std::move(body);
    (*router.find("POST", path).handler)(exchange);
    return exchange;
  }

  uv_loop_t loop_{};
  AdapterRegistry registry_;
};

TEST_F(AdapterRoutesTest, ChangesAreMadeInTheOrderInWhichTheyCome) {
  WorkPool pool(&loop_);
  AdapterRoutes routes({.registry = &registry_, .pool = &pool});
  Router router;
  routes.add_routes(router);
  const auto load = post(router, "/v1/load_lora_adapter", R"({"lora_name": "a", "lora_path": "/a"})");
  const auto again = post(router, "/v1/load_lora_adapter", R"({"lora_name": "a", "lora_path": "/a"})");
  const auto in_place =
      post(router, "/v1/load_lora_adapter", R"({"lora_name": "a", "lora_path": "/a", "load_inplace": true})");
  const auto unload = post(router, "/v1/unload_lora_adapter", R"({"lora_name": "a", "lora_int_id": 1})");
  const auto gone = post(router, "/v1/unload_lora_adapter", R"({"lora_name": "a"})");
  const auto missing = post(router, "/v1/load_lora_adapter", R"({"lora_name": "b", "lora_path": "/no"})");
  uv_run(&loop_, UV_RUN_DEFAULT);
  EXPECT_EQ(load->status, 200);
  EXPECT_EQ(load->body, "Success: LoRA adapter 'a' added successfully.");
  EXPECT_EQ(again->status, 400);
  EXPECT_EQ(in_place->status, 200);
  EXPECT_EQ(unload->status, 200);
  EXPECT_EQ(unload->body, "Success: LoRA adapter 'a' removed successfully.");
  EXPECT_EQ(gone->status, 404);
  EXPECT_EQ(missing->status, 404);
}

TEST_F(AdapterRoutesTest, WrongBodiesAreNamedFieldByField) {
  std::string answer;
  auto error = answer_load_adapter("{}", registry_, answer);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, 400);
  EXPECT_NE(error->message.find("2 validation errors"), std::string::npos) << error->message;
  error = answer_load_adapter(R"({"lora_name": 5, "lora_path": "p"})", registry_, answer);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->param, "body.lora_name");
  error = answer_unload_adapter("x", registry_, answer);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, 400);
}

TEST_F(AdapterRoutesTest, TooManyWaitingChangesAreRefused) {
  WorkPool pool(&loop_);
  AdapterRoutes routes({.registry = &registry_, .pool = &pool});
  Router router;
  routes.add_routes(router);
  std::vector<std::shared_ptr<FakeExchange>> exchanges;
  for (int i = 0; i < 70; ++i) {
    exchanges.push_back(post(router, "/v1/unload_lora_adapter", R"({"lora_name": "a"})"));
  }
  EXPECT_EQ(exchanges.back()->status, 503);
  EXPECT_EQ(post(router, "/v1/unload_lora_adapter", "{}", "text/plain")->status, 400);
  uv_run(&loop_, UV_RUN_DEFAULT);
  for (const auto& exchange : exchanges) EXPECT_TRUE(exchange->complete);
}

}  // namespace
}  // namespace seraph
