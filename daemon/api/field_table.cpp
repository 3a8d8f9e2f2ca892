// The rows of fields.h. Facts: vLLM 0.32's published schemas and its answers to wrong values.
#include <array>
#include <cstdint>

#include "daemon/api/fields.h"

namespace seraph {
namespace {

constexpr uint32_t kChats = kChat | kBatchChat;
constexpr uint32_t kGenerate = kChats | kCompletions;
// Fields that /v1/responses and /v1/messages share with chat are handed on to it as they are.
constexpr uint32_t kAnthropic = kMessages | kCountTokens;
constexpr uint32_t kTranslated = kResponses | kAnthropic;
constexpr uint32_t kSampled = kGenerate | kResponses | kMessages;
constexpr uint32_t kDrawn = kGenerate | kSampling;
constexpr uint32_t kTokenize = kTokenizeChat | kTokenizeText;
constexpr uint32_t kTemplated = kChats | kTokenizeChat;
constexpr uint32_t kAll = kGenerate | kTokenize | kDetokenize | kResponses | kSystemOne | kScoring | kTokens;
constexpr uint32_t kPooled = kEmbeddings | kPooling | kClassify;  // input or messages
constexpr uint32_t kPairs = kScore | kRerank;
constexpr bool kNotNull = false;

constexpr Range kTemperature{
    .low = 0, .high = 2, .text = "in [0, 2]", .text_low = "non-negative", .names_param = true, .finite = true};
constexpr Range kTopP{.low = 0, .high = 1, .low_open = true, .text = "in (0, 1]", .names_param = true};
constexpr Range kTopK{.low = -1, .text = "0 (disable), or at least 1"};
constexpr Range kMinP{.low = 0, .high = 1, .text = "in [0, 1]"};
constexpr Range kPenalty{.low = -2, .high = 2, .text = "in [-2, 2]"};
constexpr Range kRepetition{
    .low = 0, .high = 1e6, .low_open = true, .text = "in (0, 1000000]", .text_low = "greater than zero"};
constexpr Range kChoices{.low = 1, .text = "at least 1"};
constexpr Range kMinTokens{.low = 0, .text = "greater than or equal to 0"};

constexpr FieldRule int_rule(std::string_view name, uint32_t endpoints, bool nullable, int64_t low,
                             int64_t high = std::numeric_limits<int64_t>::max()) {
  return {.name = name,
          .type = FieldType::kInt,
          .endpoints = endpoints,
          .nullable = nullable,
          .bounded = true,
          .int_min = low,
          .int_max = high};
}

constexpr FieldRule ranged(std::string_view name, FieldType type, uint32_t endpoints, bool nullable, Range range) {
  return {.name = name, .type = type, .endpoints = endpoints, .nullable = nullable, .range = range};
}

constexpr FieldRule unoffered(std::string_view name, uint32_t endpoints) {
  return {.name = name, .type = FieldType::kUnoffered, .endpoints = endpoints};
}

constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();

constexpr std::array kRules{
    FieldRule{"messages", FieldType::kMessages, kChat | kTokenizeChat, true, true},
    FieldRule{"messages", FieldType::kConversations, kBatchChat, kNotNull, true},
    FieldRule{"prompt", FieldType::kPrompt, kCompletions},
    FieldRule{"prompt", FieldType::kString, kTokenizeText, kNotNull, true},
    FieldRule{"tokens", FieldType::kTokenList, kDetokenize, kNotNull, true},
    FieldRule{"lora_name", FieldType::kString, kLoadAdapter | kUnloadAdapter, kNotNull, true},
    FieldRule{"lora_path", FieldType::kString, kLoadAdapter, kNotNull, true},
    FieldRule{"load_inplace", FieldType::kBool, kLoadAdapter, kNotNull},
    FieldRule{"base_model_name", FieldType::kString, kLoadAdapter},
    FieldRule{"lora_int_id", FieldType::kInt, kUnloadAdapter},
    FieldRule{"model", FieldType::kString, kAll},
    ranged("frequency_penalty", FieldType::kFloat, kDrawn | kResponses, true, kPenalty),
    FieldRule{"logit_bias", FieldType::kNumberMap, kDrawn | kResponses},
    FieldRule{"logprobs", FieldType::kBool, kChats},
    FieldRule{"logprobs", FieldType::kInt, kCompletions | kSampling},
    FieldRule{"top_logprobs", FieldType::kInt, kChats},
    FieldRule{"max_tokens", FieldType::kInt, kDrawn},
    FieldRule{"max_completion_tokens", FieldType::kInt, kChats},
    ranged("n", FieldType::kInt, kChats, true, kChoices),
    ranged("n", FieldType::kInt, kCompletions | kSampling, kNotNull, kChoices),
    ranged("presence_penalty", FieldType::kFloat, kDrawn | kResponses, true, kPenalty),
    int_rule("seed", kDrawn | kResponses, true, kInt64Min),
    FieldRule{"stop", FieldType::kStop, kDrawn | kResponses},
    FieldRule{"stream", FieldType::kBool, kSampled},
    FieldRule{"stream_options", FieldType::kStreamOptions, kGenerate},
    ranged("temperature", FieldType::kFloat, kSampled | kSampling, true, kTemperature),
    ranged("top_p", FieldType::kFloat, kSampled | kSampling, true, kTopP),
    FieldRule{.name = "reasoning_effort",
              .type = FieldType::kEnum,
              .endpoints = kChats,
              .choices = "none|minimal|low|medium|high|xhigh|max"},
    FieldRule{"include_reasoning", FieldType::kBool, kChats, kNotNull},
    FieldRule{"parallel_tool_calls", FieldType::kBool, kChats | kResponses},
    FieldRule{"user", FieldType::kString, kGenerate | kResponses},
    ranged("top_k", FieldType::kInt, kSampled | kSampling, true, kTopK),
    ranged("min_p", FieldType::kFloat, kDrawn | kResponses, true, kMinP),
    ranged("repetition_penalty", FieldType::kFloat, kDrawn | kResponses, true, kRepetition),
    FieldRule{"watermarking", FieldType::kBool, kGenerate},
    FieldRule{"length_penalty", FieldType::kFloat, kGenerate, kNotNull},
    FieldRule{"stop_token_ids", FieldType::kIntList, kDrawn},
    FieldRule{"include_stop_str_in_output", FieldType::kBool, kDrawn | kResponses, kNotNull},
    FieldRule{"ignore_eos", FieldType::kBool, kDrawn | kResponses, kNotNull},
    ranged("min_tokens", FieldType::kInt, kDrawn, kNotNull, kMinTokens),
    FieldRule{"skip_special_tokens", FieldType::kBool, kDrawn | kResponses, kNotNull},
    FieldRule{"spaces_between_special_tokens", FieldType::kBool, kDrawn, kNotNull},
    int_rule("truncate_prompt_tokens", kGenerate, true, -1),
    FieldRule{.name = "truncation_side", .type = FieldType::kEnum, .endpoints = kGenerate, .choices = "left|right"},
    FieldRule{"prompt_logprobs", FieldType::kInt, kDrawn},
    FieldRule{"logprob_token_ids", FieldType::kIntList, kDrawn},
    FieldRule{"allowed_token_ids", FieldType::kIntList, kDrawn},
    FieldRule{"bad_words", FieldType::kStringList, kDrawn, kNotNull},
    FieldRule{"echo", FieldType::kBool, kChats, kNotNull},
    FieldRule{"echo", FieldType::kBool, kCompletions},
    FieldRule{"add_generation_prompt", FieldType::kBool, kTemplated, kNotNull},
    FieldRule{"continue_final_message", FieldType::kBool, kTemplated, kNotNull},
    FieldRule{"add_special_tokens", FieldType::kBool, kGenerate | kTokenize, kNotNull},
    FieldRule{"documents", FieldType::kObjectList, kTemplated},
    FieldRule{"chat_template", FieldType::kString, kTemplated},
    FieldRule{"chat_template_kwargs", FieldType::kObject, kTemplated | kTranslated},
    FieldRule{"tools", FieldType::kTools, kChat},
    FieldRule{"tools", FieldType::kAny, kBatchChat},
    FieldRule{"tools", FieldType::kObjectList, kTokenizeChat},
    FieldRule{"tool_choice", FieldType::kAny, kChat},
    FieldRule{.name = "tool_choice", .type = FieldType::kEnum, .endpoints = kBatchChat, .choices = "none"},
    FieldRule{"kv_transfer_params", FieldType::kObject, kGenerate},
    FieldRule{"vllm_xargs", FieldType::kXargs, kGenerate},
    int_rule("priority", kGenerate | kResponses, kNotNull, kInt64Min),
    FieldRule{"request_id", FieldType::kString, kGenerate | kResponses, kNotNull},
    FieldRule{"session_id", FieldType::kString, kGenerate},
    FieldRule{"return_tokens_as_token_ids", FieldType::kBool, kGenerate},
    FieldRule{"return_token_ids", FieldType::kBool, kGenerate},
    FieldRule{"return_prompt_text", FieldType::kBool, kChats},
    FieldRule{"return_token_strs", FieldType::kBool, kTokenize},
    FieldRule{"cache_salt", FieldType::kString, kGenerate | kResponses},
    int_rule("stream_interval", kGenerate, true, 1),
    int_rule("thinking_token_budget", kDrawn, true, -1),
    FieldRule{"model", FieldType::kString, kAnthropic, kNotNull, true},
    FieldRule{"messages", FieldType::kAny, kAnthropic, kNotNull, true},
    FieldRule{"system", FieldType::kTextOrList, kAnthropic},
    FieldRule{"tools", FieldType::kObjectList, kAnthropic},
    FieldRule{"tool_choice", FieldType::kObject, kAnthropic},
    FieldRule{"thinking", FieldType::kObject, kAnthropic},
    FieldRule{"output_config", FieldType::kObject, kAnthropic},
    FieldRule{"max_tokens", FieldType::kInt, kMessages, kNotNull, true},
    FieldRule{"stop_sequences", FieldType::kStringList, kMessages},
    FieldRule{"metadata", FieldType::kObject, kMessages},
    FieldRule{"service_tier", FieldType::kAny, kMessages},
    FieldRule{"input", FieldType::kTextOrList, kResponses, kNotNull, true},
    FieldRule{"instructions", FieldType::kString, kResponses},
    FieldRule{"max_output_tokens", FieldType::kInt, kResponses},
    FieldRule{"max_tool_calls", FieldType::kInt, kResponses},
    FieldRule{"previous_response_id", FieldType::kString, kResponses},
    FieldRule{"background", FieldType::kBool, kResponses},
    FieldRule{"enable_response_messages", FieldType::kBool, kResponses, kNotNull},
    FieldRule{"text", FieldType::kObject, kResponses},
    FieldRule{"reasoning", FieldType::kObject, kResponses},
    FieldRule{"tools", FieldType::kObjectList, kResponses},
    FieldRule{"tool_choice", FieldType::kAny, kResponses},
    FieldRule{"prompt", FieldType::kAny, kResponses},
    FieldRule{.name = "truncation", .type = FieldType::kEnum, .endpoints = kResponses, .choices = "auto|disabled"},
    FieldRule{.name = "include",
              .type = FieldType::kEnumList,
              .endpoints = kResponses,
              .choices = "code_interpreter_call.outputs|computer_call_output.output.image_url|file_search_call.results|"
                         "message.input_image.image_url|message.output_text.logprobs|reasoning.encrypted_content"},
    int_rule("top_logprobs", kResponses, true, 0),
    FieldRule{"store", FieldType::kBool, kResponses},
    FieldRule{"store", FieldType::kAny, kGenerate},
    FieldRule{"metadata", FieldType::kStringMap, kResponses},
    FieldRule{"metadata", FieldType::kAny, kGenerate},
    FieldRule{.name = "service_tier",
              .type = FieldType::kEnum,
              .endpoints = kResponses,
              .choices = "auto|default|flex|scale|priority"},
    FieldRule{"model", FieldType::kString, kPooled | kPairs},
    FieldRule{"input", FieldType::kPrompt, kPooled, kNotNull},
    FieldRule{"messages", FieldType::kMessages, kPooled, kNotNull},
    FieldRule{"add_generation_prompt", FieldType::kBool, kPooled, kNotNull},
    FieldRule{"continue_final_message", FieldType::kBool, kPooled, kNotNull},
    FieldRule{"chat_template", FieldType::kString, kPooled},
    FieldRule{"chat_template_kwargs", FieldType::kObject, kPooled},
    FieldRule{.name = "encoding_format",
              .type = FieldType::kEnum,
              .endpoints = kEmbeddings | kPooling,
              .nullable = kNotNull,
              .choices = "float|base64|bytes|bytes_only"},
    FieldRule{.name = "embed_dtype",
              .type = FieldType::kEnum,
              .endpoints = kEmbeddings | kPooling,
              .nullable = kNotNull,
              .choices = "float32|float16|bfloat16|fp8_e4m3|fp8_e5m2"},
    FieldRule{.name = "endianness",
              .type = FieldType::kEnum,
              .endpoints = kEmbeddings | kPooling,
              .nullable = kNotNull,
              .choices = "native|big|little"},
    FieldRule{.name = "task",
              .type = FieldType::kEnum,
              .endpoints = kPooling,
              .choices = "embed|classify|token_embed|token_classify|plugin|embed&token_classify"},
    FieldRule{"dimensions", FieldType::kInt, kEmbeddings | kPooling},
    FieldRule{"normalize", FieldType::kBool, kPooled | kPairs},
    FieldRule{"use_activation", FieldType::kBool, kPooled | kPairs},
    FieldRule{"add_special_tokens", FieldType::kBool, kPooled | kPairs, kNotNull},
    int_rule("truncate_prompt_tokens", kPooled | kPairs, true, -1),
    FieldRule{
        .name = "truncation_side", .type = FieldType::kEnum, .endpoints = kPooled | kPairs, .choices = "left|right"},
    FieldRule{"user", FieldType::kString, kPooled | kPairs},
    FieldRule{"cache_salt", FieldType::kString, kPooled | kPairs},
    FieldRule{"request_id", FieldType::kString, kPooled | kPairs, kNotNull},
    int_rule("priority", kPooled | kPairs, kNotNull, kInt64Min),
    FieldRule{"queries", FieldType::kTexts, kScore},
    FieldRule{"documents", FieldType::kTexts, kScore},
    FieldRule{"items", FieldType::kTexts, kScore},
    FieldRule{"data_1", FieldType::kTexts, kScore},
    FieldRule{"data_2", FieldType::kTexts, kScore},
    FieldRule{"text_1", FieldType::kTexts, kScore},
    FieldRule{"text_2", FieldType::kTexts, kScore},
    FieldRule{"query", FieldType::kString, kRerank, kNotNull, true},
    FieldRule{"documents", FieldType::kTexts, kRerank, kNotNull, true},
    int_rule("top_n", kRerank, kNotNull, 0),
    FieldRule{"return_documents", FieldType::kBool, kRerank},
    FieldRule{"use_beam_search", FieldType::kBool, kGenerate},
    FieldRule{"early_stopping", FieldType::kAny, kGenerate},
    FieldRule{"best_of", FieldType::kInt, kGenerate},
    FieldRule{"response_format", FieldType::kResponseFormat, kGenerate},
    FieldRule{"structured_outputs", FieldType::kStructuredOutputs, kDrawn | kResponses},
    FieldRule{"guided_json", FieldType::kSchema, kGenerate},
    FieldRule{"guided_regex", FieldType::kString, kGenerate},
    FieldRule{"guided_choice", FieldType::kStringList, kGenerate},
    FieldRule{"guided_grammar", FieldType::kString, kGenerate},
    FieldRule{"guided_json_object", FieldType::kBool, kGenerate},
    FieldRule{"guided_whitespace_pattern", FieldType::kString, kGenerate},
    FieldRule{"guided_decoding_backend", FieldType::kString, kGenerate},
    FieldRule{"structural_tag", FieldType::kString, kGenerate},
    FieldRule{"suffix", FieldType::kString, kCompletions},
    unoffered("prompt_embeds", kCompletions),
    unoffered("mm_processor_kwargs", kGenerate),
    unoffered("media_io_kwargs", kGenerate),
    FieldRule{"logits_processors", FieldType::kAny, kGenerate},
    FieldRule{"repetition_detection", FieldType::kRepetition, kGenerate | kSampling},
    FieldRule{"token_ids", FieldType::kTokenList, kTokens, kNotNull, true},
    FieldRule{"sampling_params", FieldType::kObject, kTokens, kNotNull, true},
    FieldRule{"stream", FieldType::kBool, kTokens},
    FieldRule{"stream_options", FieldType::kStreamOptions, kTokens},
    FieldRule{"return_token_ids", FieldType::kBool, kTokens},
    FieldRule{.name = "output_mode",
              .type = FieldType::kEnum,
              .endpoints = kTokens,
              .nullable = kNotNull,
              .choices = "tokens|text"},
    FieldRule{"state", FieldType::kAny, kSystemOne, true, true},
    FieldRule{"questions", FieldType::kQuestions, kSystemOne, kNotNull, true},
    FieldRule{"query", FieldType::kTextOrTokens, kScoring, kNotNull, true},
    FieldRule{"items", FieldType::kTextsOrTokens, kScoring, kNotNull, true},
    FieldRule{"label_token_ids", FieldType::kIntList, kScoring, kNotNull, true},
    FieldRule{"apply_softmax", FieldType::kBool, kScoring, kNotNull},
    FieldRule{"item_first", FieldType::kBool, kScoring, kNotNull},
    FieldRule{"add_special_tokens", FieldType::kBool, kScoring, kNotNull},
    FieldRule{"cache_salt", FieldType::kString, kScoring | kTokens | kSystemOne},
    FieldRule{"request_id", FieldType::kString, kScoring | kTokens | kSystemOne, kNotNull},
    int_rule("priority", kScoring | kTokens | kSystemOne, kNotNull, kInt64Min),
};

}  // namespace

std::span<const FieldRule> field_rules() { return kRules; }

}  // namespace seraph
