#include "common/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "common/base/check.h"
#include "common/net/errc.h"
#include "common/net/tls_impl.h"

namespace godwit::net {
namespace {

using X509Ptr = std::unique_ptr<X509, OpenSslFree>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree>;
using BioPtr = std::unique_ptr<BIO, OpenSslFree>;

// Forward secrecy first; static RSA last, for peers that have nothing else. RFC 9325 s4.2 but for
// that.
constexpr const char* kCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:"
    "!aNULL:!eNULL:!MD5:!DSS:!PSK:!SRP";

// A key with a passphrase is refused; OpenSSL would ask for it on the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

// --- the socket below an SSL ---------------------------------------------------------------------

int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_result(BIO* bio, ssize_t result, std::size_t* done, int retry_flag) {
  BIO_clear_retry_flags(bio);
  *done = result > 0 ? static_cast<std::size_t>(result) : 0;
  if (result > 0) return 1;
  if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    return -1;
  }
  if (result == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return result == 0 ? 0 : -1;
}

int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* done) {
  return bio_result(bio, ::send(socket_of(bio), data, size, MSG_NOSIGNAL), done, BIO_FLAGS_WRITE);
}

int bio_read(BIO* bio, char* data, std::size_t size, std::size_t* done) {
  return bio_result(bio, ::recv(socket_of(bio), data, size, 0), done, BIO_FLAGS_READ);
}

long bio_ctrl(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default: return 0;
  }
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "godwit socket");
    CHECK(made != nullptr);
    BIO_meth_set_write_ex(made, bio_write);
    BIO_meth_set_read_ex(made, bio_read);
    BIO_meth_set_ctrl(made, bio_ctrl);
    return made;
  }();
  return method;
}

// --- contexts ------------------------------------------------------------------------------------

std::shared_ptr<SSL_CTX> new_context(const SSL_METHOD* method) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
  CHECK(context != nullptr, "SSL_CTX_new: {}", take_openssl_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  CHECK(SSL_CTX_set_cipher_list(context.get(), kCiphers) == 1, "no cipher");
  // SSL_OP_IGNORE_UNEXPECTED_EOF: many mail hosts just close. SMTP has an end of its own for
  // everything that matters (the dot, the chunk's length), so a cut cannot pass for an end.
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);  // one recv for a record's head and body
  return context;
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

bool add_extension(X509& certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &certificate, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(&certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

Result<X509Ptr> self_sign(EVP_PKEY& key, const std::string& host) {
  constexpr long kSecondsValid = 365L * 24 * 3600;
  X509Ptr certificate(X509_new());
  X509* const x509 = certificate.get();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), static_cast<long>(std::time(nullptr)));
  X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509), kSecondsValid);
  X509_set_pubkey(x509, &key);
  X509_NAME* const name = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(host.data()),
                             static_cast<int>(host.size()), -1, 0);
  X509_set_issuer_name(x509, name);
  if (!add_extension(*x509, NID_basic_constraints, "critical,CA:TRUE") ||
      !add_extension(*x509, NID_subject_alt_name, "DNS:" + host) ||
      X509_sign(x509, &key, EVP_sha256()) == 0) {
    return fail(Errc::kInvalid, "a certificate for " + host + ": " + take_openssl_error());
  }
  return certificate;
}

int session_slot_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int on_new_session(SSL* ssl, SSL_SESSION* session) {
  const auto* slot = static_cast<TlsClientSessionSlot*>(SSL_get_ex_data(ssl, session_slot_index()));
  if (slot == nullptr || SSL_SESSION_is_resumable(session) == 0) return 0;
  slot->sessions->remember(slot->key, SessionPtr(session));
  return 1;  // the reference is ours now
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "";
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

SslPtr new_ssl(SSL_CTX& context, int socket) {
  SslPtr ssl(SSL_new(&context));
  BIO* bio = BIO_new(socket_method());
  CHECK(ssl != nullptr && bio != nullptr, "out of memory");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  return ssl;
}

void attach_session_slot(SSL& ssl, TlsClientSessionSlot* slot) {
  SSL_set_ex_data(&ssl, session_slot_index(), slot);
}

// --- server --------------------------------------------------------------------------------------

TlsServerContext::TlsServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::load(TlsServerFiles files) {
  TRY(std::shared_ptr<SSL_CTX> context, server_context_of(files));
  auto impl = std::make_unique<Impl>();
  impl->files = std::move(files);
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
  if (impl_->files.certificate.empty()) return {};  // self-signed: there is nothing to read
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

// --- client --------------------------------------------------------------------------------------

TlsClientContext::TlsClientContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::create(TlsClientOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->context = new_context(TLS_client_method());
  impl->sessions_max = options.sessions_max;
  SSL_CTX* const context = impl->context.get();
  // Old certificates (1024 bits, SHA-1) are no reason to fall back to clear text; what must be
  // verified is verified apart from this.
  SSL_CTX_set_security_level(context, 1);
  ERR_clear_error();
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    return fail(Errc::kInvalid, "trusted roots " + options.ca_file + ": " + take_openssl_error());
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, on_new_session);
  return std::shared_ptr<TlsClientContext>(new TlsClientContext(std::move(impl)));
}

std::size_t TlsClientContext::sessions() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->recent.size();
}

void TlsClientContext::Impl::remember(const std::string& key, SessionPtr session) {
  if (sessions_max == 0) return;
  const std::lock_guard lock(mutex);
  if (const auto known = by_key.find(key); known != by_key.end()) {
    known->second->session = std::move(session);
    recent.splice(recent.begin(), recent, known->second);
    return;
  }
  if (recent.size() >= sessions_max) {
    by_key.erase(recent.back().key);
    recent.pop_back();
  }
  recent.push_front({key, std::move(session)});
  by_key[key] = recent.begin();
}

SessionPtr TlsClientContext::Impl::recall(const std::string& key) {
  const std::lock_guard lock(mutex);
  const auto known = by_key.find(key);
  if (known == by_key.end()) return nullptr;
  recent.splice(recent.begin(), recent, known->second);
  SSL_SESSION* session = known->second->session.get();
  SSL_SESSION_up_ref(session);
  return SessionPtr(session);
}

}  // namespace godwit::net
