// Requests to a pooling model: /v1/embeddings, /pooling, /classify, /score, /rerank and their spellings. Their bodies
// become prompts, the engine's vectors become an answer. Pure functions for the worker pool.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/api/errors.h"
#include "daemon/api/fields.h"
#include "daemon/api/prepare.h"
#include "daemon/http/server.h"
#include "engine/request.h"

namespace seraph {

/// How numbers are written.
struct VectorEncoding {
  enum class Format : uint8_t { kFloat, kBase64, kBytes, kBytesOnly };
  enum class Type : uint8_t { kFloat32, kFloat16, kBfloat16 };
  Format format = Format::kFloat;
  Type type = Type::kFloat32;  // of base64 and bytes
  bool big_endian = false;
};

struct PreparedPooling {
  Endpoint endpoint = kEmbeddings;
  std::vector<std::vector<TokenId>> prompts;  // what the engine pools, in order of the answer
  int64_t prompt_tokens = 0;                  // what the client is told
  bool use_activation = true;
  int32_t dimensions = 0;  // 0: all
  VectorEncoding encoding;
  // kScore, kRerank: prompts are pairs, or with an embedding model num_queries texts and then the documents.
  size_t num_queries = 0;
  size_t num_documents = 0;
  std::vector<std::string> documents;  // kRerank
  size_t top_n = 0;                    // kRerank; 0: all
  int32_t priority = 0;
  std::string cache_salt;
  std::string request_id;  // the body's; "" when absent
};

/// `out.endpoint` says which body this is: kEmbeddings, kPooling, kClassify, kScore or kRerank.
std::optional<ApiError> prepare_pooling(std::string_view bytes, const PrepareContext& context, PreparedPooling& out);

struct PoolingAnswer {
  std::string content_type = "application/json";
  std::string body;
  std::vector<HttpHeader> headers;
};

struct PoolingFacts {
  std::string id;
  std::string model;
  int64_t created = 0;
};

/// `vectors` are the engine's, one a prompt. Errors: 500 when they hold something that is no number.
std::optional<ApiError> answer_pooling(const PreparedPooling& request, const PoolingInfo& info,
                                       const PoolingFacts& facts, std::vector<std::vector<float>> vectors,
                                       PoolingAnswer& out);

/// The paths that a model of this kind has, and what they are. Others of these paths are unknown to it.
struct PoolingRoute {
  const char* path;
  Endpoint endpoint;
};
std::vector<PoolingRoute> pooling_routes(const PoolingInfo& info);

}  // namespace seraph
