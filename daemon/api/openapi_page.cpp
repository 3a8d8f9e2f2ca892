// The OpenAPI document as HTML.
#include "daemon/api/openapi.h"

namespace seraph {
namespace {

constexpr const char* kHead =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>seraph: the API</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "summary{cursor:pointer;padding:.3rem 0}code{font-family:ui-monospace,monospace}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.15rem .5rem;border-bottom:1px solid "
    "#8884}"
    "</style></head><body>";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// A schema in a few words: "integer | null", "list of string".
std::string type_words(const Json& schema) {
  if (const Json* values = schema.find("enum"); values != nullptr) return values->dump();
  if (const Json* choices = schema.find("anyOf"); choices != nullptr) {
    std::string words;
    for (const Json& choice : choices->as_array()) words += (words.empty() ? "" : " | ") + type_words(choice);
    return words;
  }
  const Json* type = schema.find("type");
  if (type == nullptr) return "any";
  if (type->is_array()) {
    std::string words;
    for (const Json& each : type->as_array()) words += (words.empty() ? "" : " | ") + each.as_string();
    return words;
  }
  const Json* items = schema.find("items");
  return items != nullptr ? "list of " + type_words(*items) : type->as_string();
}

std::string limit_words(const Json& schema) {
  std::string words;
  for (const auto& [name, sign] :
       {std::pair{"minimum", "&ge; "}, std::pair{"exclusiveMinimum", "&gt; "}, std::pair{"maximum", "&le; "}}) {
    if (const Json* limit = schema.find(name); limit != nullptr) words += sign + limit->dump() + " ";
  }
  return words;
}

bool is_required(const Json& schema, const std::string& name) {
  const Json* required = schema.find("required");
  if (required == nullptr) return false;
  for (const Json& each : required->as_array()) {
    if (each.as_string() == name) return true;
  }
  return false;
}

std::string fields_table(const Json& schema) {
  std::string out = "<table><tr><th>field</th><th>type</th><th>limits</th></tr>";
  const Json* properties = schema.find("properties");
  if (properties == nullptr) return "";
  for (const auto& [name, field] : properties->as_object()) {
    out += "<tr><td><code>" + escaped(name) + "</code>" + (is_required(schema, name) ? " (required)" : "") +
           "</td><td>" + escaped(type_words(field)) + "</td><td>" + limit_words(field) + "</td></tr>";
  }
  return out + "</table>";
}

std::string body_section(const Json& operation) {
  const Json* body = operation.find("requestBody");
  if (body == nullptr) return "";
  const Json& schema = *body->find("content")->find("application/json")->find("schema");
  const Json* choices = schema.find("anyOf");
  if (choices == nullptr) return fields_table(schema);
  std::string out;
  for (const Json& choice : choices->as_array()) out += (out.empty() ? "" : "<p>or</p>") + fields_table(choice);
  return out;
}

std::string operation_section(const std::string& method, const std::string& path, const Json& operation) {
  std::string out = "<details><summary><code>" + escaped(method) + " " + escaped(path) + "</code> " +
                    escaped(operation.find("summary")->as_string()) + "</summary>" + body_section(operation) +
                    "<table><tr><th>status</th><th></th></tr>";
  for (const auto& [status, response] : operation.find("responses")->as_object()) {
    out +=
        "<tr><td>" + escaped(status) + "</td><td>" + escaped(response.find("description")->as_string()) + "</td></tr>";
  }
  return out + "</table></details>";
}

}  // namespace

std::string openapi_page(const Json& document) {
  std::string out = kHead;
  out += "<h1>seraph " + escaped(document.find("info")->find("version")->as_string()) +
         "</h1><p>The same as <a href=\"openapi.json\">OpenAPI document</a>.</p>";
  for (const auto& [path, operations] : document.find("paths")->as_object()) {
    for (const auto& [method, operation] : operations.as_object()) out += operation_section(method, path, operation);
  }
  return out + "</body></html>";
}

void add_openapi_routes(Router& router, const std::string& version) {
  auto routes = router.routes();
  for (const char* path : {"/openapi.json", "/docs", "/redoc"}) routes.push_back({"GET", path, Access::kOpen});
  const Json document = openapi_document(routes, version);
  router.add("GET", "/openapi.json", Access::kOpen, [text = document.dump()](std::shared_ptr<Exchange> exchange) {
    exchange->respond(200, "application/json", text);
  });
  for (const char* path : {"/docs", "/redoc"}) {
    router.add("GET", path, Access::kOpen, [page = openapi_page(document)](std::shared_ptr<Exchange> exchange) {
      exchange->respond(
          200, "text/html; charset=utf-8", page,
          {{"content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
           {"x-content-type-options", "nosniff"}});
    });
  }
}

}  // namespace seraph
