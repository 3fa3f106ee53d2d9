#include "sender/connection.h"

#include "common/net/proxy_header.h"
#include "common/observe/log.h"

namespace godwit::sender {

using smtp::ClientStage;

namespace {

constexpr observe::Logger kLog{"sender"};

}  // namespace

async::Task<Result<void>> Connection::open(const MxPlan::Target& target) {
  // The capture has no name of its own in the DNS; events call it by what the route says.
  host_ = way_.route != nullptr && way_.route->capture ? "capture" : target.host;
  address_ = target.address.port == 25 ? target.address.ip.to_text() : target.address.to_text();
  tls_text_.clear();
  input_.clear();
  proxy_ = net::Address::from_text(way_.egress.proxy.address);
  const bool behind_proxy = proxy_.has_value();
  if (target.address.ip.is_loopback()) proxy_.reset();
  const Instant began = env_.clock.instant();
  if (proxy_) {
    CO_TRY_VOID(co_await open_by_proxy(target.address));
  } else {
    // What a proxy has is not this machine's to bind.
    const auto local = behind_proxy ? std::nullopt : source_address(target.address.ip.family());
    CO_TRY(stream_, co_await env_.connector.connect_until(env_.shard, target.address, local,
                                                          began + env_.config.timeouts.connect,
                                                          dispatch_.drained()));
  }
  env_.metrics.connected(env_.clock.instant() - began);
  co_return Result<void>{};
}

async::Task<Result<void>> Connection::open_by_proxy(const net::Address& target) {
  const auto source = source_address(target.ip.family());
  // The plan has no hosts of a family that the source does not send over: only control data that
  // nobody checked gets here.
  if (!source) co_return fail(net::Errc::kAddressUnavailable, way_.source.text());
  const Instant deadline = env_.clock.instant() + env_.config.timeouts.connect;
  CO_TRY(stream_, co_await env_.connector.connect_until(env_.shard, *proxy_, std::nullopt, deadline,
                                                        dispatch_.drained()));
  const async::StopSignal::Callback on_drain(dispatch_.drained(), [this] { stream_.close(); });
  const std::string header = net::proxy_v2_header({*source, target});
  CO_TRY_VOID(co_await stream_.write(header, deadline));
  stream_.set_remote(target);
  CO_TRY_VOID(co_await stream_.wait_readable(deadline + env_.config.timeouts.banner));
  if (stream_.pending() == net::Stream::Pending::kEnd)
    co_return fail(net::Errc::kPeerClosed, proxy_->to_text());
  co_return Result<void>{};
}

std::string Connection::by_proxy() const {
  return proxy_ ? " by proxy " + proxy_->to_text() : std::string();
}

std::optional<net::Address> Connection::source_address(net::Family family) const {
  const std::string& text =
      family == net::Family::kIpv4 ? way_.egress.address : way_.egress.address6;
  const auto ip = net::IpAddress::from_text(text);
  if (!ip) return std::nullopt;
  return net::Address{*ip, 0};
}

control::Shaping::Tls Connection::tls_policy(const net::IpAddress& to) const {
  using Tls = control::Shaping::Tls;
  const Tls policy = way_.route != nullptr && way_.route->tls ? *way_.route->tls : way_.shaping.tls;
  // Whoever is in between would present a certificate of his own and be told the password.
  const bool credentials_leave = way_.route != nullptr && way_.route->auth && !to.is_loopback();
  return policy == Tls::kOpportunistic && credentials_leave ? Tls::kRequired : policy;
}

smtp::ClientConfig Connection::session_config(const MxPlan::Target& target, bool in_clear) const {
  smtp::ClientConfig config;
  config.helo = way_.egress.ehlo.empty() ? env_.node : way_.egress.ehlo;
  const control::Shaping::Tls policy = tls_policy(target.address.ip);
  switch (policy) {
    case control::Shaping::Tls::kOpportunistic:
      config.tls = in_clear ? smtp::ClientTls::kNever : smtp::ClientTls::kIfOffered;
      break;
    case control::Shaping::Tls::kRequired: config.tls = smtp::ClientTls::kRequired; break;
    case control::Shaping::Tls::kDisabled: config.tls = smtp::ClientTls::kNever; break;
  }
  if (way_.route != nullptr && way_.route->auth) {
    config.credentials = smtp::Credentials{
        smtp::Mechanism::kPlain, {}, way_.route->auth->username, way_.route->auth->password};
    // In the clear only on this machine, or where the operator said so in as many words.
    config.auth_in_clear =
        target.address.ip.is_loopback() || policy == control::Shaping::Tls::kDisabled;
  }
  return config;
}

Instant Connection::deadline(ClientStage stage, bool writing) const {
  const Timeouts& timeouts = env_.config.timeouts;
  const Instant now = env_.clock.instant();
  if (writing) return now + timeouts.block;
  switch (stage) {
    case ClientStage::kBanner: return now + timeouts.banner;
    case ClientStage::kEhlo: return now + timeouts.ehlo;
    case ClientStage::kStartTls: return now + timeouts.starttls;
    case ClientStage::kAuth: return now + timeouts.auth;
    case ClientStage::kMail: return now + timeouts.mail;
    case ClientStage::kRcpt: return now + timeouts.rcpt;
    case ClientStage::kData: return now + timeouts.data;
    case ClientStage::kDot: return now + timeouts.dot;
    case ClientStage::kReset:
    case ClientStage::kQuit: return now + timeouts.quit;
  }
  return now + timeouts.mail;
}

async::Task<Result<std::size_t>> Connection::read(const smtp::ClientSession& session) {
  return stream_.read_some(buffer_, deadline(session.stage(), false));
}

void Connection::was_read(smtp::ClientSession& session, const Result<std::size_t>& octets) {
  if (!octets) {
    session.disconnected(octets.error().code.message());
  } else if (*octets == 0) {
    session.disconnected("the host closed the connection");
  } else {
    input_.append(buffer_.data(), *octets);
  }
}

async::Task<Result<void>> Connection::write(smtp::ClientSession& session) {
  output_ = session.take_output();
  return stream_.write(output_, deadline(session.stage(), true));
}

void Connection::was_written(smtp::ClientSession& session, const Result<void>& written) {
  output_ = {};
  if (!written) session.disconnected(written.error().code.message());
}

async::Task<bool> Connection::start_tls(smtp::ClientSession& session) {
  net::TlsPeer peer{.host = host_,
                    .trust = tls_policy(stream_.remote().ip) == control::Shaping::Tls::kRequired
                                 ? net::TlsTrust::kVerified
                                 : net::TlsTrust::kAny,
                    .realm = way_.source.text()};
  const Instant began = env_.clock.instant();
  const auto done = co_await stream_.start_tls_client(env_.tls, std::move(peer),
                                                      deadline(ClientStage::kStartTls, false));
  if (!done) {
    env_.metrics.tls_failed();
    kLog.info("TLS handshake failed",
              {{"host", host_}, {"address", address_}, {"error", done.error()}});
    session.tls_failed(done.error().code.message());
    // Injected plaintext is an attack or a broken host; neither is rewarded by going on in the
    // clear.
    co_return done.error().code != net::Errc::kTlsInjected;
  }
  if (const auto& info = stream_.tls()) {
    tls_text_ = info->version + " " + info->cipher;
    env_.metrics.tls_begun(*info, env_.clock.instant() - began);
  }
  session.tls_started();
  co_return false;
}

}  // namespace godwit::sender
