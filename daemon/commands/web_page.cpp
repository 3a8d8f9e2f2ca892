#include "daemon/commands/web_page.h"

#include <string>

#include "webui_assets.h"

namespace seraph {

void add_web_page(Router& router) {
  for (const WebAsset& asset : web_assets()) {
    const auto respond = [asset](const std::shared_ptr<Exchange>& exchange) {
      // The page runs only its own scripts and talks only to this server, whatever a model writes into it.
      exchange->respond(200, asset.content_type, std::string(asset.bytes),
                        {{"cache-control", "no-cache"},
                         {"content-security-policy",
                          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                          "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                         {"referrer-policy", "no-referrer"},
                         {"x-content-type-options", "nosniff"}});
    };
    router.add("GET", std::string(asset.path), Access::kOpen, respond);
    router.add("HEAD", std::string(asset.path), Access::kOpen, respond);
  }
  // Browsers ask for it whatever the page says.
  router.add("GET", "/favicon.ico", Access::kOpen,
             [](const std::shared_ptr<Exchange>& exchange) { exchange->respond(204, "", ""); });
}

std::string browser_address(const std::string& address, const std::string& machine_name) {
  for (const std::string every : {"://0.0.0.0:", "://[::]:"}) {
    const size_t at = address.find(every);
    if (at == std::string::npos) continue;
    const std::string host = machine_name.empty() ? "127.0.0.1" : machine_name;
    return address.substr(0, at) + "://" + host + ':' + address.substr(at + every.size());
  }
  return address;
}

}  // namespace seraph
