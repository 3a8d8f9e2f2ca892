// Chat templates: any text compiles or is refused, and what compiles renders within its limits or fails.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  auto compiled = seraph::Template::compile(source);
  if (!compiled.ok()) return 0;
  auto context = seraph::Json::parse(
      R"({"a":1,"b":2.5,"s":"Hello","l":[3,1,2],"d":{"z":1,"y":[1,null]},"t":true,"u":"h\u00e9 \ud83d\ude42","n":null,
          "messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"y"}]}]})");
  const seraph::TemplateLimits limits{
      .steps_max = 200'000, .output_bytes_max = 1 << 20, .depth_max = 100, .time_max_ms = 500};
  seraph::TemplateClock clock;
  clock.fixed = true;
  (void)(*compiled)->render(*context, limits, clock).ok();
  (void)(*compiled)->wants_content_parts();
  return 0;
}
