// The part of a stream that is TLS.
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "common/async/give_way.h"
#include "common/base/check.h"
#include "common/net/socket.h"
#include "common/net/stream.h"
#include "common/net/stream_impl.h"

namespace godwit::net {

using async::Task;

Stream::Impl::TlsStep Stream::Impl::step_of(int result) {
  const int saved = errno;
  TlsStep step{result, SSL_ERROR_NONE, 0};
  if (result <= 0) {
    step.kind = SSL_get_error(ssl.get(), result);
    step.system_code = saved;
  }
  return step;
}

Task<Result<void>> Stream::Impl::wait_for(TlsStep step, Side& side, std::string_view doing,
                                          Instant deadline) {
  // Either direction may wait for either readiness, but at any time only one task waits for each:
  // the handshake is alone, and after it, without renegotiation, reading waits to read and writing
  // to write. A TLS 1.3 key update that must be answered while the socket is full is the exception;
  // it waits on the side it is.
  switch (step.kind) {
    case SSL_ERROR_WANT_READ:
      if (handshaking || &side == &reading) return wait(reading, deadline);
      return failed(step, doing);
    case SSL_ERROR_WANT_WRITE: return wait(handshaking ? writing : side, deadline);
    default: return failed(step, doing);
  }
}

Task<Result<void>> Stream::Impl::failed(TlsStep step, std::string_view doing) {
  tls_failed = true;
  const std::string reason = take_openssl_error();
  if (step.kind == SSL_ERROR_ZERO_RETURN) co_return fail(Errc::kPeerClosed, std::string(doing));
  if (step.kind == SSL_ERROR_SYSCALL && reason.empty()) {
    if (step.result == 0 || step.system_code == 0)
      co_return fail(Errc::kPeerClosed, std::string(doing));
    co_return fail(system_error(step.system_code, std::string(doing)));
  }
  co_return fail(Errc::kTls, std::string(doing) + ": " + reason);
}

Task<Result<std::size_t>> Stream::Impl::read_tls(std::span<char> into, Instant deadline) {
  while (true) {
    if (fd < 0) co_return fail(Errc::kClosed);
    ERR_clear_error();
    reading.changed = false;
    const TlsStep step = step_of(SSL_read(
        ssl.get(), into.data(), static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX))));
    if (step.result > 0) {
      if (must_give_way()) co_await async::give_way();
      co_return static_cast<std::size_t>(step.result);
    }
    if (step.kind == SSL_ERROR_ZERO_RETURN) co_return 0U;
    CO_TRY_VOID(co_await wait_for(step, reading, "read", deadline));
  }
}

Task<Result<void>> Stream::Impl::handshake(Instant deadline) {
  handshaking = true;
  Result<void> result;
  while (true) {
    if (fd < 0) {
      result = fail(Errc::kClosed);
      break;
    }
    ERR_clear_error();
    reading.changed = writing.changed = false;
    const TlsStep step = step_of(SSL_do_handshake(ssl.get()));
    if (step.result == 1) break;
    result = co_await wait_for(step, reading, "handshake", deadline);
    if (!result) break;
  }
  handshaking = false;
  tls_agreed = result.has_value();
  tls_failed = !tls_agreed;
  drained = false;
  co_return result;
}

namespace {

std::string subject_of(const SSL& ssl) {
  X509* const certificate = SSL_get0_peer_certificate(&ssl);
  if (certificate == nullptr) return "";
  std::array<char, 257> text{};
  X509_NAME_oneline(X509_get_subject_name(certificate), text.data(), text.size());
  return text.data();
}

TlsInfo info_of(SSL& ssl) {
  TlsInfo info;
  info.version = SSL_get_version(&ssl);
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(&ssl);
  info.cipher = SSL_CIPHER_get_name(cipher);
  info.cipher_bits = SSL_CIPHER_get_bits(cipher, nullptr);
  info.resumed = SSL_session_reused(&ssl) != 0;
  if (const char* name = SSL_get_servername(&ssl, TLSEXT_NAMETYPE_host_name))
    info.server_name = name;
  if (SSL_is_server(&ssl) == 0) {
    const long verdict = SSL_get_verify_result(&ssl);
    info.verified = verdict == X509_V_OK;
    if (!info.verified) info.verify_error = X509_verify_cert_error_string(verdict);
    info.peer_subject = subject_of(ssl);
  }
  return info;
}

void expect_host(SSL& ssl, const std::string& host) {
  SSL_set_hostflags(&ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (IpAddress::from_text(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(&ssl, host.c_str());  // RFC 6066 s3: names only
    SSL_set1_host(&ssl, host.c_str());
  }
}

}  // namespace

Task<Result<void>> Stream::start_tls_server(TlsServerContext& context, Instant deadline) {
  if (!is_open()) co_return fail(Errc::kClosed);
  CHECK(impl_->ssl == nullptr, "TLS in TLS");
  const std::shared_ptr<SSL_CTX> current = context.current();
  impl_->ssl = new_ssl(*current, impl_->fd);
  SSL_set_accept_state(impl_->ssl.get());
  CO_TRY_VOID(co_await impl_->handshake(deadline));
  co_return Result<void>{};
}

Task<Result<void>> Stream::start_tls_client(TlsClientContext& context, TlsPeer peer,
                                            Instant deadline) {
  if (!is_open()) co_return fail(Errc::kClosed);
  CHECK(impl_->ssl == nullptr, "TLS in TLS");
  // A TLS server speaks second: what is here already was not sent by it.
  if (pending() == Pending::kData) co_return fail(Errc::kTlsInjected, peer.host);
  impl_->ssl = new_ssl(*context.impl_->context, impl_->fd);
  SSL& ssl = *impl_->ssl;
  SSL_set_connect_state(&ssl);
  expect_host(ssl, peer.host);
  SSL_set_verify(&ssl, peer.trust == TlsTrust::kVerified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                 nullptr);
  impl_->sessions = std::make_unique<TlsClientSessionSlot>(
      context.impl_.get(),
      std::to_string(static_cast<int>(peer.trust)) + "\n" + peer.host + "\n" + peer.realm);
  attach_session_slot(ssl, impl_->sessions.get());
  if (const SessionPtr session = context.impl_->recall(impl_->sessions->key)) {
    SSL_set_session(&ssl, session.get());
  }
  if (Result<void> done = co_await impl_->handshake(deadline); !done) {
    const long verdict = SSL_get_verify_result(&ssl);
    if (done.error().code == Errc::kTls && peer.trust == TlsTrust::kVerified &&
        verdict != X509_V_OK) {
      co_return fail(Errc::kTlsUntrusted,
                     peer.host + ": " + X509_verify_cert_error_string(verdict));
    }
    co_return fail(std::move(done).error().within(peer.host));
  }
  co_return Result<void>{};
}

std::optional<TlsInfo> Stream::tls() const {
  if (impl_ == nullptr || !impl_->tls_agreed) return std::nullopt;
  return info_of(*impl_->ssl);
}

}  // namespace godwit::net
