// The decoders of tokenizer.json, as streams: tokens go in one by one, text comes out as soon as no later token can
// change it, or on release() as soon as it is readable. Decoding a whole list is a stream that ends, so both ways agree
// by construction.
// A TextDecoder is immutable (any thread); a DecodeChain belongs to one stream.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace seraph::text {

class DecodeChain;

/// One decoder's state in one stream. What it emits goes to the step behind it.
class DecodeStep {
 public:
  /// The rest of the chain, as a step sees it.
  class Next {
   public:
    Next(DecodeChain& chain, size_t index, std::string& out) : chain_(chain), index_(index), out_(out) {}
    void emit(std::string_view token);

   private:
    DecodeChain& chain_;
    const size_t index_;
    std::string& out_;
  };
  virtual ~DecodeStep() = default;
  virtual void push(std::string_view token, Next& next) = 0;
  /// Emits what is held back and readable as it is, though a later token could still change it.
  virtual void release(Next& /*next*/) {}
  /// The stream ends: emits what was held back.
  virtual void finish(Next& /*next*/) {}
  /// Forgets what was held back, so that text of a prompt does not come out later.
  virtual void drop_held() {}
};

class DecodeChain {
 public:
  explicit DecodeChain(std::vector<std::unique_ptr<DecodeStep>> steps) : steps_(std::move(steps)) {}
  void push(std::string_view token, std::string& out) { feed(0, token, out); }
  void release(std::string& out);
  void finish(std::string& out);
  void drop_held();

 private:
  friend class DecodeStep::Next;
  void feed(size_t index, std::string_view token, std::string& out);
  std::vector<std::unique_ptr<DecodeStep>> steps_;
};

class TextDecoder {
 public:
  /// Reads the value of the key "decoder"; null joins tokens with spaces, as the library does.
  static Result<TextDecoder> parse(const Json& spec);
  std::unique_ptr<DecodeChain> start() const;

  class Factory {
   public:
    virtual ~Factory() = default;
    virtual std::unique_ptr<DecodeStep> make() const = 0;
  };

 private:
  std::vector<std::unique_ptr<Factory>> factories_;
};

}  // namespace seraph::text
