// The second half of pooling.h: vectors become numbers, scores and JSON.
#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "daemon/api/pooling.h"

namespace seraph {
namespace {

using Activation = PoolingInfo::Activation;
using Vectors = std::vector<std::vector<float>>;

void normalize(std::span<float> values) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * static_cast<double>(value);
  const double length = std::max(std::sqrt(square), 1e-12);
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) / length);
}

void softmax(std::span<float> values) {
  const float top = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const float value : values) sum += std::exp(static_cast<double>(value - top));
  for (float& value : values) value = static_cast<float>(std::exp(static_cast<double>(value - top)) / sum);
}

void activate(Activation activation, std::span<float> values) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kNormalize:
      return normalize(values);
    case Activation::kSoftmax:
      return softmax(values);
    case Activation::kSigmoid:
      for (float& value : values) value = 1.0F / (1.0F + std::exp(-value));
  }
}

double cosine(std::span<const float> a, std::span<const float> b) {
  double dot = 0, square_a = 0, square_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    dot += x * y;
    square_a += x * x;
    square_b += y * y;
  }
  return dot / std::max(std::sqrt(square_a) * std::sqrt(square_b), 1e-8);
}

void append_number(std::string& out, float value) {
  char text[48];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_numbers(std::string& out, std::span<const float> values) {
  out += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append_number(out, values[i]);
  }
  out += ']';
}

/// Round to nearest, ties to even, as every converter does.
uint16_t to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000U);
  const float magnitude = std::abs(value);
  if (magnitude >= 65520.0F) return sign | 0x7C00U;
  if (magnitude < 0x1p-14F) return sign | static_cast<uint16_t>(std::nearbyint(magnitude * 0x1p24F));
  uint32_t rounded = std::bit_cast<uint32_t>(magnitude);
  rounded += 0xFFFU + (rounded >> 13 & 1U);
  return sign | static_cast<uint16_t>((rounded >> 13) - (112U << 10));
}

uint16_t to_bfloat(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

std::string to_bytes(std::span<const float> values, const VectorEncoding& encoding) {
  std::string out;
  const auto append = [&](uint32_t bits, int size) {
    for (int i = 0; i < size; ++i) {
      const int shift = 8 * (encoding.big_endian ? size - 1 - i : i);
      out += static_cast<char>(bits >> shift);
    }
  };
  for (const float value : values) {
    if (encoding.type == VectorEncoding::Type::kFloat32) append(std::bit_cast<uint32_t>(value), 4);
    if (encoding.type == VectorEncoding::Type::kFloat16) append(to_half(value), 2);
    if (encoding.type == VectorEncoding::Type::kBfloat16) append(to_bfloat(value), 2);
  }
  return out;
}

std::string base64(const std::string& bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // the library ends it with a NUL
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

void append_vector(std::string& out, std::span<const float> values, const VectorEncoding& encoding) {
  if (encoding.format == VectorEncoding::Format::kFloat) return append_numbers(out, values);
  out += '"';
  out += base64(to_bytes(values, encoding));
  out += '"';
}

std::string begin_list(const PoolingFacts& facts) {
  std::string out = "{\"id\":";
  append_json_string(out, facts.id);
  out += ",\"object\":\"list\",\"created\":" + std::to_string(facts.created) + ",\"model\":";
  append_json_string(out, facts.model);
  return out + ",\"data\":[";
}

void end_list(std::string& out, const PreparedPooling& request) {
  const std::string tokens = std::to_string(request.prompt_tokens);
  out += "],\"usage\":{\"prompt_tokens\":" + tokens + ",\"total_tokens\":" + tokens +
         ",\"completion_tokens\":0,\"prompt_tokens_details\":null,\"completion_tokens_details\":null}}";
}

std::string vectors_json(const PreparedPooling& request, const PoolingFacts& facts, const Vectors& vectors) {
  const bool embeds = request.endpoint == kEmbeddings;
  std::string out = begin_list(facts);
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (i > 0) out += ',';
    out += "{\"index\":" + std::to_string(i);
    out += embeds ? ",\"object\":\"embedding\",\"embedding\":" : ",\"object\":\"pooling\",\"data\":";
    append_vector(out, vectors[i], request.encoding);
    out += '}';
  }
  end_list(out, request);
  return out;
}

std::string classes_json(const PreparedPooling& request, const PoolingInfo& info, const PoolingFacts& facts,
                         const Vectors& vectors) {
  std::string out = begin_list(facts);
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (i > 0) out += ',';
    const auto best = std::max_element(vectors[i].begin(), vectors[i].end()) - vectors[i].begin();
    out += "{\"index\":" + std::to_string(i) + ",\"label\":";
    append_json_string(out, info.labels[static_cast<size_t>(best)]);
    out += ",\"probs\":";
    append_numbers(out, vectors[i]);
    out += ",\"num_classes\":" + std::to_string(vectors[i].size()) + '}';
  }
  end_list(out, request);
  return out;
}

/// The raw numbers behind each other; where they lie is told in a header.
PoolingAnswer vectors_as_bytes(const PreparedPooling& request, const PoolingFacts& facts, const Vectors& vectors) {
  PoolingAnswer out{.content_type = "application/octet-stream"};
  constexpr const char* kTypes[] = {"float32", "float16", "bfloat16"};
  std::string places;
  for (size_t i = 0; i < vectors.size(); ++i) {
    const size_t begin = out.body.size();
    out.body += to_bytes(vectors[i], request.encoding);
    places += (i > 0 ? ", " : "") + std::string("{\"index\": ") + std::to_string(i) + ", \"embed_dtype\": \"" +
              kTypes[static_cast<size_t>(request.encoding.type)] + "\", \"endianness\": \"" +
              (request.encoding.big_endian ? "big" : "native") + "\", \"start\": " + std::to_string(begin) +
              ", \"end\": " + std::to_string(out.body.size()) + ", \"shape\": [" + std::to_string(vectors[i].size()) +
              "]}";
  }
  if (request.encoding.format == VectorEncoding::Format::kBytesOnly) return out;
  std::string metadata = "{\"id\": ";
  append_json_string(metadata, facts.id);
  metadata += ", \"created\": " + std::to_string(facts.created) + ", \"model\": ";
  append_json_string(metadata, facts.model);
  const std::string tokens = std::to_string(request.prompt_tokens);
  metadata +=
      ", \"data\": [" + places + "], \"usage\": {\"prompt_tokens\": " + tokens + ", \"total_tokens\": " + tokens + "}}";
  out.headers.push_back({"metadata", std::move(metadata)});
  return out;
}

std::vector<float> scores_of(const PreparedPooling& request, const PoolingInfo& info, const Vectors& vectors) {
  std::vector<float> out;
  for (size_t i = 0; i < request.num_documents; ++i) {
    if (info.task == PoolingInfo::Task::kClassify) {
      out.push_back(vectors[i].front());
      continue;
    }
    const std::vector<float>& query = vectors[request.num_queries == 1 ? 0 : i];
    out.push_back(static_cast<float>(cosine(query, vectors[request.num_queries + i])));
  }
  return out;
}

std::string scores_json(const PreparedPooling& request, const PoolingFacts& facts, std::span<const float> scores) {
  std::string out = begin_list(facts);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (i > 0) out += ',';
    out += "{\"index\":" + std::to_string(i) + ",\"object\":\"score\",\"score\":";
    append_number(out, scores[i]);
    out += '}';
  }
  end_list(out, request);
  return out;
}

std::string ranking_json(const PreparedPooling& request, const PoolingFacts& facts, std::span<const float> scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  if (request.top_n > 0) order.resize(std::min(order.size(), request.top_n));
  const std::string tokens = std::to_string(request.prompt_tokens);
  std::string out = "{\"id\":";
  append_json_string(out, facts.id);
  out += ",\"model\":";
  append_json_string(out, facts.model);
  out += ",\"usage\":{\"prompt_tokens\":" + tokens + ",\"total_tokens\":" + tokens + "},\"results\":[";
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0) out += ',';
    out += "{\"index\":" + std::to_string(order[i]) + ",\"document\":{\"text\":";
    append_json_string(out, request.documents[order[i]]);
    out += ",\"multi_modal\":null},\"relevance_score\":";
    append_number(out, scores[order[i]]);
    out += '}';
  }
  return out + "]}";
}

}  // namespace

std::optional<ApiError> answer_pooling(const PreparedPooling& request, const PoolingInfo& info,
                                       const PoolingFacts& facts, Vectors vectors, PoolingAnswer& out) {
  for (std::vector<float>& vector : vectors) {
    if (request.dimensions > 0) vector.resize(static_cast<size_t>(request.dimensions));
    if (request.use_activation) activate(info.activation, vector);
    if (std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); })) continue;
    return ApiError{.status = 500,
                    .type = "InternalServerError",
                    .message = "the model's numbers are not finite; try --dtype float32 or bfloat16"};
  }
  using Format = VectorEncoding::Format;
  const bool binary = request.encoding.format == Format::kBytes || request.encoding.format == Format::kBytesOnly;
  switch (request.endpoint) {
    case kClassify:
      out.body = classes_json(request, info, facts, vectors);
      break;
    case kScore:
      out.body = scores_json(request, facts, scores_of(request, info, vectors));
      break;
    case kRerank:
      out.body = ranking_json(request, facts, scores_of(request, info, vectors));
      break;
    default:
      if (binary) {
        out = vectors_as_bytes(request, facts, vectors);
      } else {
        out.body = vectors_json(request, facts, vectors);
      }
  }
  return std::nullopt;
}

}  // namespace seraph
