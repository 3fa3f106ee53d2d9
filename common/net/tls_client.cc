#include <openssl/err.h>
#include <openssl/ssl.h>

#include <mutex>
#include <utility>

#include "common/net/errc.h"
#include "common/net/tls.h"
#include "common/net/tls_impl.h"

namespace godwit::net {
namespace {

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

void attach_session_slot(SSL& ssl, TlsClientSessionSlot* slot) {
  SSL_set_ex_data(&ssl, session_slot_index(), slot);
}

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
