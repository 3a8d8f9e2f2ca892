// The OpenAPI document of the server, made of the router's routes and the table of request fields: what checks
// requests also describes them. And that document as a page for people. Pure functions, besides add_openapi_routes.
#pragma once

#include <string>
#include <vector>

#include "daemon/http/server.h"
#include "engine/base/json.h"

namespace seraph {

/// OpenAPI 3.1. Paths come in the order in which they were added; of HEAD nothing is said.
Json openapi_document(const std::vector<Router::Listed>& routes, const std::string& version);

/// One HTML page without scripts or outside assets: every operation with its fields.
std::string openapi_page(const Json& document);

/// /openapi.json, /docs and /redoc, about the routes that the router has by now and themselves. They need no key, like
/// the chat page: a browser sends none, and they say nothing about this server but its version.
void add_openapi_routes(Router& router, const std::string& version);

}  // namespace seraph
