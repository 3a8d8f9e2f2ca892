// The files of the page, embedded at build time (webui/CMakeLists.txt, target seraph_webui). Constant data.
// daemon/commands/web_page.cpp gives them routes, "/" among them.
#pragma once

#include <span>
#include <string_view>

namespace seraph {

struct WebAsset {
  std::string_view path;  // "/chat.js"; the page itself is "/"
  std::string_view content_type;
  std::string_view bytes;
};

std::span<const WebAsset> web_assets();

}  // namespace seraph
