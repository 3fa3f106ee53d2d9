#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <mutex>
#include <utility>

#include "common/net/errc.h"
#include "common/net/server_names.h"
#include "common/net/tls.h"
#include "common/net/tls_impl.h"

namespace godwit::net {
namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree>;
using BioPtr = std::unique_ptr<BIO, OpenSslFree>;

// A key with a passphrase is refused; OpenSSL would ask for it on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

std::shared_ptr<SSL_CTX> new_server_context() {
  std::shared_ptr<SSL_CTX> context = new_context(TLS_server_method());
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_dh_auto(context.get(), 1);
  // Tickets only: a server-side cache would be one more lock between shards.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  static constexpr std::array<unsigned char, 6> kSessionContext = {'g', 'o', 'd', 'w', 'i', 't'};
  SSL_CTX_set_session_id_context(context.get(), kSessionContext.data(), kSessionContext.size());
  return context;
}

Result<std::shared_ptr<SSL_CTX>> server_context_of(const TlsServerFiles& files) {
  std::shared_ptr<SSL_CTX> context = new_server_context();
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1) {
    return fail(Errc::kInvalid, "certificate " + files.certificate + ": " + take_openssl_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail(Errc::kInvalid, "key " + files.key + ": " + take_openssl_error());
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return fail(Errc::kInvalid,
                "key " + files.key + " does not belong to certificate " + files.certificate);
  }
  return context;
}

std::string ticket_keys_of(SSL_CTX& context) {
  const long size = SSL_CTX_get_tlsext_ticket_keys(&context, nullptr, 0);
  std::string keys(static_cast<std::size_t>(size), '\0');
  SSL_CTX_get_tlsext_ticket_keys(&context, keys.data(), size);
  return keys;
}

// The first context, which has all the others by their names when there are any.
Result<std::shared_ptr<SSL_CTX>> server_context_of(const std::vector<TlsServerFiles>& files) {
  TRY(std::shared_ptr<SSL_CTX> first, server_context_of(files.front()));
  if (files.size() == 1) return first;
  auto names = std::make_unique<ServerNames>(*first);
  for (std::size_t i = 1; i < files.size(); ++i) {
    TRY(const std::shared_ptr<SSL_CTX> other, server_context_of(files[i]));
    names->add(other);
  }
  ServerNames::attach(*first, std::move(names));
  return first;
}

}  // namespace

TlsServerContext::TlsServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::load(
    TlsServerFiles files, std::vector<TlsServerFiles> others) {
  others.insert(others.begin(), std::move(files));
  TRY(std::shared_ptr<SSL_CTX> context, server_context_of(others));
  auto impl = std::make_unique<Impl>();
  impl->files = std::move(others);
  impl->ticket_keys = ticket_keys_of(*context);
  impl->context = std::move(context);
  return std::shared_ptr<TlsServerContext>(new TlsServerContext(std::move(impl)));
}

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::self_signed(const std::string& host) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return fail(Errc::kInvalid, "a key: " + take_openssl_error());
  TRY(const X509Ptr certificate, self_sign(*key, host));
  auto impl = std::make_unique<Impl>();
  impl->context = new_server_context();
  SSL_CTX_use_certificate(impl->context.get(), certificate.get());
  SSL_CTX_use_PrivateKey(impl->context.get(), key.get());
  impl->ticket_keys = ticket_keys_of(*impl->context);
  return std::shared_ptr<TlsServerContext>(new TlsServerContext(std::move(impl)));
}

Result<void> TlsServerContext::reload() {
  if (impl_->files.empty()) return {};  // self-signed: there is nothing to read
  TRY(std::shared_ptr<SSL_CTX> context, server_context_of(impl_->files));
  SSL_CTX_set_tlsext_ticket_keys(context.get(), impl_->ticket_keys.data(),
                                 static_cast<long>(impl_->ticket_keys.size()));
  const std::lock_guard lock(impl_->mutex);
  impl_->context = std::move(context);
  return {};
}

std::shared_ptr<SSL_CTX> TlsServerContext::current() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->context;
}

std::int64_t TlsServerContext::not_after() const {
  const std::shared_ptr<SSL_CTX> context = current();
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context.get())), &time) != 1)
    return 0;
  return timegm(&time);
}

std::string TlsServerContext::certificate_pem() const {
  const std::shared_ptr<SSL_CTX> context = current();
  const BioPtr memory(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(memory.get(), SSL_CTX_get0_certificate(context.get()));
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace godwit::net
