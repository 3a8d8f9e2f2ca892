#include <openssl/err.h>
#include <openssl/x509.h>

#include "daemon/http/tls.h"

namespace seraph {
namespace {

/// The newest reason that OpenSSL gives; the queue is empty afterwards.
std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(google-runtime-int): OpenSSL's type
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

Error tls_error(const char* option, const std::string& value, std::string reason) {
  return Error{ErrorCode::kInvalidArgument,
               std::string("argument ") + option + ": " + value + " cannot be used: " + std::move(reason),
               "give a PEM file that this process may read", option};
}

/// HTTP/1.1 is all that is spoken; a client that offers only other protocols is served it all the same.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned int in_size, void*) {
  static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_size, kHttp11, sizeof kHttp11, in, in_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// A server has nobody to ask for the password of a key.
int no_password(char*, int, int, void*) { return 0; }

Status load_identity(SSL_CTX* context, const HttpOptions& options) {
  SSL_CTX_set_default_passwd_cb(context, no_password);
  if (SSL_CTX_use_certificate_chain_file(context, options.ssl_certfile.c_str()) != 1) {
    return tls_error("--ssl-certfile", options.ssl_certfile, openssl_reason());
  }
  // The certificate's file may hold the key too.
  const std::string& key = options.ssl_keyfile.empty() ? options.ssl_certfile : options.ssl_keyfile;
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return tls_error("--ssl-keyfile", key, openssl_reason());
  }
  if (SSL_CTX_check_private_key(context) != 1) return tls_error("--ssl-keyfile", key, openssl_reason());
  return {};
}

Status load_client_rules(SSL_CTX* context, const HttpOptions& options) {
  if (options.ssl_cert_reqs > 0 && options.ssl_ca_certs.empty()) {
    return Error{ErrorCode::kInvalidArgument, "argument --ssl-cert-reqs: client certificates need --ssl-ca-certs",
                 "give the file of the authority that signs them", "--ssl-cert-reqs"};
  }
  if (!options.ssl_ca_certs.empty()) {
    if (SSL_CTX_load_verify_file(context, options.ssl_ca_certs.c_str()) != 1) {
      return tls_error("--ssl-ca-certs", options.ssl_ca_certs, openssl_reason());
    }
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.ssl_ca_certs.c_str()));
  }
  const int required = options.ssl_cert_reqs == 2 ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, options.ssl_cert_reqs == 0 ? SSL_VERIFY_NONE : SSL_VERIFY_PEER | required, nullptr);
  return {};
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::make(const HttpOptions& options) {
  if (options.ssl_certfile.empty()) {
    return Error{ErrorCode::kInvalidArgument, "argument --ssl-keyfile: a key without a certificate serves nothing",
                 "give --ssl-certfile too", "--ssl-certfile"};
  }
  ERR_clear_error();
  std::unique_ptr<TlsContext> context(new TlsContext(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* handle = context->handle();
  if (handle == nullptr) return Error{ErrorCode::kInternal, "TLS cannot be set up: " + openssl_reason()};
  SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
  // An end without close_notify is an end: HTTP's own framing says whether a message was complete.
  SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                  SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(handle, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
  static constexpr unsigned char kSessionContext[] = "seraph";
  SSL_CTX_set_session_id_context(handle, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_alpn_select_cb(handle, choose_protocol, nullptr);
  SERAPH_RETURN_IF_ERROR(load_identity(handle, options));
  SERAPH_RETURN_IF_ERROR(load_client_rules(handle, options));
  if (!options.ssl_ciphers.empty() && SSL_CTX_set_cipher_list(handle, options.ssl_ciphers.c_str()) != 1) {
    return tls_error("--ssl-ciphers", options.ssl_ciphers, openssl_reason());
  }
  return context;
}

}  // namespace seraph
