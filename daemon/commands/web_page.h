// The chat page at / and its files, embedded in the binary (CMake target seraph_webui makes webui_assets.h). The page
// holds no secrets and asks for a key itself, so it is open.
#pragma once

#include <string>

#include "daemon/http/server.h"

namespace seraph {

void add_web_page(Router& router);

/// Where a browser finds a server that listens on `address`: every interface is no place to go to, so the machine's
/// name stands for it, or loopback where it has none.
std::string browser_address(const std::string& address, const std::string& machine_name);

}  // namespace seraph
