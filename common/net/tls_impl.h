#pragma once

#include <openssl/ssl.h>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/net/tls.h"

// What the sources of this folder share; nobody else includes OpenSSL.
namespace godwit::net {

struct OpenSslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using SslPtr = std::unique_ptr<SSL, OpenSslFree>;
using X509Ptr = std::unique_ptr<X509, OpenSslFree>;
using SessionPtr = std::unique_ptr<SSL_SESSION, OpenSslFree>;

// The oldest entry of OpenSSL's error queue as text, the queue emptied; "" when there is none.
[[nodiscard]] std::string take_openssl_error();

// A context with what both sides want: versions, ciphers, little memory. Never null.
[[nodiscard]] std::shared_ptr<SSL_CTX> new_context(const SSL_METHOD* method);

// A certificate for `host`, a year long, signed by its own key.
[[nodiscard]] Result<X509Ptr> self_sign(EVP_PKEY& key, const std::string& host);

// An SSL on a non-blocking socket. Sends with MSG_NOSIGNAL: no broken connection raises SIGPIPE.
[[nodiscard]] SslPtr new_ssl(SSL_CTX& context, int socket);

struct TlsServerContext::Impl {
  std::vector<TlsServerFiles> files;  // the first is for everybody else; empty: self-signed
  mutable std::mutex mutex;
  std::shared_ptr<SSL_CTX> context;
  // RFC 5077 keys, the same for every certificate this context ever has.
  std::string ticket_keys;
};

// Sessions by realm, least recently used first out.
struct TlsClientContext::Impl {
  std::shared_ptr<SSL_CTX> context;
  std::size_t sessions_max = 0;

  void remember(const std::string& key, SessionPtr session);
  // A reference of the caller's own, or null.
  [[nodiscard]] SessionPtr recall(const std::string& key);

  struct Entry {
    std::string key;
    SessionPtr session;
  };
  mutable std::mutex mutex;
  std::list<Entry> recent;  // most recent first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key;
};

// What an SSL of the client side carries, so that the new-session callback finds its way back.
struct TlsClientSessionSlot {
  TlsClientContext::Impl* sessions = nullptr;
  std::string key;
};
// Borrowed by the SSL; must live as long as it.
void attach_session_slot(SSL& ssl, TlsClientSessionSlot* slot);

}  // namespace godwit::net
