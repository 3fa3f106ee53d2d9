#include "ingress/role.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>
#include <utility>
#include <vector>

#include "common/net/listener.h"
#include "common/observe/log.h"
#include "ingress/services.h"
#include "ingress/smtp_session.h"

namespace godwit::ingress {
namespace {

const observe::Logger kLog{"ingress"};

class Ingress final : public role::Role {
 public:
  Ingress(const role::RoleContext& context, const Config& config, control::ReturnPath return_path)
      : context_(context),
        config_(config),
        metrics_(context.metrics),
        authenticator_(context.control, context.clock, config_.budgets, metrics_),
        sessions_(config_.budgets.sessions_max, config_.budgets.sessions_per_address_max),
        services_{.config = config_,
                  .hostname = config_.hostname.empty() ? context.node : config_.hostname,
                  .node = context.node,
                  .return_path = std::move(return_path),
                  .log = context.log,
                  .control = context.control,
                  .clock = context.clock,
                  .metrics = metrics_,
                  .authenticator = authenticator_,
                  .sessions = sessions_,
                  .budget = std::make_shared<ByteBudget>(config_.budgets.message_bytes_max),
                  .tls = nullptr} {}
  ~Ingress() override { stop(); }

  [[nodiscard]] std::string_view name() const override { return "ingress"; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] std::vector<role::NamedAddress> addresses() const override;
  [[nodiscard]] std::string problem() const override;
  [[nodiscard]] Result<void> reload() override;
  void drain(Instant deadline) override;
  void stop() override;

 private:
  Result<void> load_certificate();
  Result<void> open(const SmtpListenerConfig& listener);
  void stop_accepting();
  // Tells every shard, on the shard, and waits until all know.
  void request(async::StopSignal ShardServices::* signal);

  const role::RoleContext context_;
  const Config config_;
  IngressMetrics metrics_;
  Authenticator authenticator_;
  SessionCounts sessions_;
  Services services_;
  std::vector<std::unique_ptr<ShardServices>> shards_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<observe::Metrics::Sampled> samples_;
  std::atomic<bool> serving_{false};
};

Result<void> Ingress::load_certificate() {
  if (!config_.tls.certificate.empty()) {
    TRY(services_.tls, config_.tls.load());
    return {};
  }
  for (const SmtpListenerConfig& listener : config_.smtp) {
    if (listener.tls == ListenerTls::kImplicit || listener.tls_required) {
      return fail(std::make_error_code(std::errc::invalid_argument),
                  "ingress.smtp " + listener.listen.to_text() +
                      " wants TLS, and ingress.tls names no certificate");
    }
    if (listener.kind == ListenerKind::kSubmission && !listener.auth_without_tls) {
      kLog.warning("no certificate: only clients on loopback can log in",
                   {{"listen", listener.listen.to_text()}});
    }
  }
  return {};
}

Result<void> Ingress::open(const SmtpListenerConfig& listener) {
  ports_.push_back(std::make_unique<Port>(services_, listener));
  const Port& port = *ports_.back();
  auto opened = net::Listener::open(
      context_.shards, listener.address(), {},
      [this, &port](async::Shard& shard, net::Stream stream) {
        return SmtpSession::serve(services_, port, *shards_.at(shard.index()), std::move(stream));
      });
  if (!opened)
    return fail(std::move(opened).error().within("ingress.smtp " + listener.listen.to_text()));
  listeners_.push_back(*std::move(opened));
  return {};
}

Result<void> Ingress::start() {
  TRY_VOID(load_certificate());
  for (std::size_t i = 0; i < context_.shards.size(); ++i) {
    shards_.push_back(
        std::make_unique<ShardServices>(context_.shards.at(i), context_.log.producer()));
  }
  for (const SmtpListenerConfig& listener : config_.smtp) TRY_VOID(open(listener));
  samples_.push_back(context_.metrics.sampled(
      kSessions, {}, [this] { return static_cast<double>(sessions_.sessions()); }));
  samples_.push_back(context_.metrics.sampled(
      kMessageBytes, {}, [this] { return static_cast<double>(services_.budget->used()); }));
  samples_.push_back(context_.metrics.sampled(kMessageBytesMax, {}, [this] {
    return static_cast<double>(config_.budgets.message_bytes_max);
  }));
  samples_.push_back(context_.metrics.sampled(kCertificateNotAfter, {}, [this] {
    return services_.tls ? static_cast<double>(services_.tls->not_after()) : 0.0;
  }));
  for (const auto& listener : listeners_) listener->start();
  serving_ = true;
  return {};
}

std::vector<role::NamedAddress> Ingress::addresses() const {
  std::vector<role::NamedAddress> addresses;
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    addresses.push_back({ports_[i]->name(), listeners_[i]->local().to_text()});
  return addresses;
}

std::string Ingress::problem() const {
  if (!serving_) return "not listening";
  const log::Status status = context_.log.status();
  return status.writable ? std::string{} : "the log takes nothing: " + status.problem;
}

Result<void> Ingress::reload() {
  if (services_.tls == nullptr) return {};
  return services_.tls->reload();
}

void Ingress::stop_accepting() {
  serving_ = false;
  for (const auto& listener : listeners_) listener->stop_accepting();
}

void Ingress::request(async::StopSignal ShardServices::* signal) {
  std::latch told(static_cast<std::ptrdiff_t>(shards_.size()));
  for (const auto& shard : shards_) {
    shard->shard.post([services = shard.get(), signal, &told] {
      (services->*signal).request();
      told.count_down();
    });
  }
  told.wait();
}

void Ingress::drain(Instant deadline) {
  stop_accepting();
  request(&ShardServices::drain);
  const Instant end = std::min(deadline, context_.clock.instant() + config_.drain_wait);
  // On the main thread, once in the life of a process: looking now and then is all it takes.
  while (sessions_.sessions() > 0 && context_.clock.instant() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void Ingress::stop() {
  if (shards_.empty()) return;
  stop_accepting();
  request(&ShardServices::stop);
  for (const auto& listener : listeners_) listener->wait_drained();
  for (const auto& shard : shards_) shard->farewells.close_and_wait();
  authenticator_.stop();
  samples_.clear();
  listeners_.clear();
  ports_.clear();
  shards_.clear();
}

}  // namespace

std::unique_ptr<role::Role> make_ingress(const role::RoleContext& context, const Config& config,
                                         control::ReturnPath return_path) {
  return std::make_unique<Ingress>(context, config, std::move(return_path));
}

}  // namespace godwit::ingress
