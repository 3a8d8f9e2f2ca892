// For tests and the fuzz target: a certificate made on the spot, and the client's side of a TLS connection in memory.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace seraph {

struct Identity {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

/// A self-signed certificate for localhost on a P-256 key, valid for an hour.
inline Identity make_identity() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const auto pem_of = [](auto write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    write(memory.get());
    std::string text(BIO_ctrl_pending(memory.get()), '\0');
    BIO_read(memory.get(), text.data(), static_cast<int>(text.size()));
    return text;
  };
  return {pem_of([&](BIO* memory) { PEM_write_bio_X509(memory, certificate.get()); }), pem_of([&](BIO* memory) {
            PEM_write_bio_PrivateKey(memory, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

/// Trusts every server. Bytes go in and out through `receive` and `to_send`.
class TlsClient {
 public:
  explicit TlsClient(const Identity* own = nullptr, int version_max = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), session_(nullptr, SSL_free) {
    SSL_CTX_set_max_proto_version(context_.get(), version_max);
    if (own != nullptr) use(*own);
    session_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(session_.get(), in_, out_);
    SSL_set_connect_state(session_.get());
    SSL_do_handshake(session_.get());
  }

  bool established() const { return SSL_is_init_finished(session_.get()) != 0; }
  bool closed_by_peer() const { return (SSL_get_shutdown(session_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  SSL* session() { return session_.get(); }

  /// Bytes of the server; what they say is added to `text`.
  void receive(std::string_view bytes) {
    BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    std::array<char, 16384> plain;
    for (int count = 1; count > 0;) {
      count = SSL_read(session_.get(), plain.data(), static_cast<int>(plain.size()));
      if (count > 0) text.append(plain.data(), static_cast<size_t>(count));
    }
  }
  void write(std::string_view plain) { SSL_write(session_.get(), plain.data(), static_cast<int>(plain.size())); }
  /// Takes what the client has to send.
  std::string to_send() {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

  std::string text;

 private:
  void use(const Identity& own) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> certificate(
        BIO_new_mem_buf(own.certificate.data(), static_cast<int>(own.certificate.size())), BIO_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> key(
        BIO_new_mem_buf(own.key.data(), static_cast<int>(own.key.size())), BIO_free);
    X509* parsed = PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr);
    EVP_PKEY* parsed_key = PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context_.get(), parsed);
    SSL_CTX_use_PrivateKey(context_.get(), parsed_key);
    X509_free(parsed);
    EVP_PKEY_free(parsed_key);
  }

  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> session_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

}  // namespace seraph
