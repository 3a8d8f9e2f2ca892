// The chat page at / and its files, embedded in the binary (CMake target seraph_webui makes webui_assets.h). The page
// holds no secrets and asks for a key itself, so it is open.
#pragma once

#include "daemon/http/server.h"

namespace seraph {

void add_web_page(Router& router);

}  // namespace seraph
