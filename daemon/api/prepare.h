// Everything between a request's bytes and the engine: parse, check, render, tokenize. Pure functions of the body and
// a context that is constant after start, because they run on the worker pool.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/api.h"
#include "daemon/api/constraints.h"
#include "daemon/api/errors.h"
#include "daemon/api/sampling.h"
#include "daemon/api/tools.h"
#include "engine/engine.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace seraph {

class AdapterRegistry;
class ResponseStore;
struct ResponsesRequest;

/// Constant after construction; shared by the pool's threads.
struct PrepareContext {
  const Tokenizer* tokenizer = nullptr;
  const EngineInfo* info = nullptr;
  const ApiOptions* options = nullptr;
  std::unique_ptr<Template> chat_template = {};   // null: the checkpoint has none
  std::unique_ptr<Template> tools_template = {};  // null: the same one
  const ResponseStore* responses = nullptr;       // null: no response is kept
  AdapterRegistry* adapters = nullptr;            // null: there are none
  int64_t piece_bytes_max = 1;                    // longest vocabulary entry: bounds the tokens of a text from below
  std::unique_ptr<const ConstraintCompiler> constraints = {};

  /// Compiles the templates. Errors: the template's.
  static Result<std::unique_ptr<PrepareContext>> make(const Tokenizer& tokenizer, const EngineInfo& info,
                                                      const ApiOptions& options);
  SamplingLimits limits() const { return {info->vocab_size, info->max_model_len, tokenizer, info->eos_ids}; }
};

struct Prompt {
  std::vector<TokenId> ids;
  std::string text;       // filled when it is shown (echo, return_prompt_text)
  std::string echo_text;  // chat with echo: the last message's text
  int32_t tokens_max = 0;
  ReasoningStart start = ReasoningStart::kUnknown;    // where the answer's text begins
  std::shared_ptr<const Constraint> constraint = {};  // of every choice's text; null: free
};

struct PreparedGeneration {
  GenerationParams params;
  std::string model;                       // the adapter's name; "": the model's own
  std::shared_ptr<const Adapter> adapter;  // null: the model as it is
  std::vector<Prompt> prompts;
  std::string role;                                       // chat: of the answer
  std::string request_id;                                 // the body's; "" when absent
  OutputPlan output;                                      // chat
  std::optional<Endpoint> endpoint;                       // whose answer it is, where the route leaves that to the body
  std::string user;                                       // as the client names its own user; for the log
  std::string owner;                                      // whose key the request came with; set before it is prepared
  std::vector<std::string> warnings;                      // what was passed over, for a header of the answer
  std::shared_ptr<const ResponsesRequest> responses;      // of /v1/responses
  std::shared_ptr<const ThinkingBudget> thinking_budget;  // null: none
  bool softmax = true;                                    // /generative_scoring: over the labels, not the vocabulary
  bool tokens_only = true;                                // /inference/v1/generate: the answer has no text
  bool show_prompt_ids = false;                           // /inference/v1/generate
};

// chat.cpp, completions.cpp
std::optional<ApiError> prepare_chat(std::string_view bytes, const PrepareContext& context, PreparedGeneration& out);
/// /invocations: a chat body when it has messages, else a completion's.
std::optional<ApiError> prepare_invocation(std::string_view bytes, const PrepareContext& context,
                                           PreparedGeneration& out);
/// The same from a body that another endpoint translated into a chat body.
std::optional<ApiError> prepare_chat_body(Json body, const PrepareContext& context, PreparedGeneration& out);
std::optional<ApiError> prepare_completion(std::string_view bytes, const PrepareContext& context,
                                           PreparedGeneration& out);
/// /v1/chat/completions/batch: a prompt for each conversation.
std::optional<ApiError> prepare_batch_chat(std::string_view bytes, const PrepareContext& context,
                                           PreparedGeneration& out);

/// Notes the fields of a checked body that no rule knows.
void warn_of_unknown_fields(const Json& body, Endpoint endpoint, PreparedGeneration& out);

/// The tokens that a budget of thinking forces. Errors: no parser says which those are.
std::optional<ApiError> plan_thinking(const PrepareContext& context, PreparedGeneration& out);

/// Longest name that a client gives a request or its user: ids are part of every event and row.
inline constexpr size_t kNameBytesMax = 256;

/// At most kNameBytesMax bytes of it.
std::string shortened_name(const std::string& name);
/// The body's request_id, "" when absent. Errors: too long.
std::optional<ApiError> read_request_id(const Json& body, std::string& out);
/// What a checked body calls the request and its user; of a long user name the beginning. Errors: read_request_id's.
std::optional<ApiError> read_names(const Json& body, PreparedGeneration& out);

/// A checked chat body (of /v1/chat/completions or /tokenize) as prompt text.
struct RenderedChat {
  std::string text;
  std::string role;
  std::string last_role, last_text;
};
std::optional<ApiError> render_chat_body(const Json& body, const PrepareContext& context, RenderedChat& out);

/// 404 for a model name that is neither served nor an adapter's; null, absent and "" mean the first one.
std::optional<ApiError> check_model(const Json& body, const PrepareContext& context);
/// The same; an adapter is brought to memory when it is not there.
std::optional<ApiError> choose_model(const Json& body, const PrepareContext& context, PreparedGeneration& out);
ApiError unknown_model(const std::string& name, const ApiOptions& options);

/// Tokenizes; ids that the model lacks and texts that cannot fit whatever their tokens are errors.
std::optional<ApiError> encode_prompt(std::string_view text, bool add_special_tokens, const PrepareContext& context,
                                      std::vector<TokenId>& ids);
/// Applies truncate_prompt_tokens and truncation_side.
std::optional<ApiError> truncate_prompt(const Json& body, const GenerationParams& params, int64_t max_model_len,
                                        std::vector<TokenId>& ids);

}  // namespace seraph
