#include "sender/courier.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "common/async/stop_signal.h"
#include "common/base/check.h"
#include "common/observe/log.h"
#include "common/report/category.h"
#include "common/report/return_address.h"
#include "common/text/escape.h"
#include "sender/lane.h"
#include "sender/source_choice.h"

namespace godwit::sender {

namespace {

using smtp::ClientAction;
using smtp::ClientStage;

constexpr observe::Logger kLog{"sender"};
constexpr std::size_t kReadBytes = 4096;
// A delivery whose connection ended before its turn goes back to the queue this often; then it is
// deferred.
constexpr std::uint32_t kReturnsMax = 3;

smtp::Reply ours(smtp::EnhancedCode code, std::string text) {
  return smtp::Reply::of(0, code, std::move(text));
}

}  // namespace

Courier::Courier(Lane& lane, Environment& environment, Dispatch& dispatch, SourceName source)
    : lane_(lane), env_(environment), dispatch_(dispatch), source_(std::move(source)) {
  if (const control::Source* egress = lane_.source(source_)) egress_ = *egress;
  if (const control::Shaping* shaping = lane_.shaping(source_)) shaping_ = *shaping;
}

Courier::~Courier() {
  // With something in hand only when the log went away under a read: then all of it is still in the
  // log.
  lane_.idle_ends(*this);
  if (slot_) lane_.slot_free(source_);
}

std::shared_ptr<Courier::Work> Courier::take_in(DeliveryPtr delivery) {
  auto work = std::make_shared<Work>();
  const auto recipients = static_cast<int>(delivery->recipients());
  work->results.resize(static_cast<std::size_t>(recipients));
  for (int i = 0; i < recipients; ++i) work->left.push_back(i);
  work->delivery = std::move(delivery);
  return work;
}

async::Task<void> Courier::run() {
  DeliveryPtr first = lane_.claim(source_);
  if (!first) {
    no_longer_connecting();
    co_return;
  }
  domain_ = first->record.head.domain();
  works_.push_back(take_in(std::move(first)));
  MxPlan plan = co_await make_plan(domain_);
  std::optional<MxPlan::Target> again;  // the same address once more, in the clear
  while (!works_.empty() && !dispatch_.draining()) {
    const bool in_clear = again.has_value();
    MxPlan::Step step;
    if (again) {
      step = {MxPlan::Step::Kind::kConnect, {}, *std::exchange(again, std::nullopt)};
    } else {
      step = plan.next();
    }
    if (step.kind == MxPlan::Step::Kind::kResolve) {
      co_await resolve(plan, step.host);
      continue;
    }
    if (step.kind == MxPlan::Step::Kind::kExhausted) {
      const NoWay verdict = plan.verdict();
      if (!verdict.permanent) lane_.unreachable(source_);
      co_await load_for_notices();
      give_up(verdict);
      break;
    }
    if (!slot_ && !co_await wait_for_slot()) break;
    const Ended ended = co_await converse(step.target, in_clear);
    stream_.close();
    lane_.slot_free(source_);
    slot_ = false;
    if (ended.served) {
      lane_.reached(source_);
      hand_back(ended);
      break;
    }
    env_.metrics.connection_failed();
    if (ended.tls_broken && !in_clear &&
        tls_policy(step.target.address.ip) == control::Shaping::Tls::kOpportunistic) {
      again = step.target;
    } else {
      plan.failed(ended.reply, report::bounce_category(ended.reply, ended.stage),
                  ended.connected ? smtp::stage_name(ended.stage) : "connect");
    }
  }
  no_longer_connecting();
  // Nothing was attempted: the partition is being given back, or no slot is left.
  hand_back({});
}

// What ends here without an attempt was not fetched, and its sender wants to know what it was.
async::Task<void> Courier::load_for_notices() {
  const std::vector<std::shared_ptr<Work>> works(works_.begin(), works_.end());
  for (const std::shared_ptr<Work>& work : works) {
    if (work->delivery->record.envelope.sender().empty()) continue;
    // Without it the notification says less; the outcome is the same.
    std::ignore = co_await dispatch_.load_content(*work->delivery);
  }
}

void Courier::no_longer_connecting() {
  if (std::exchange(connecting_, false)) lane_.connecting_ended(source_);
}

async::Task<MxPlan> Courier::make_plan(std::string domain) {
  route_ = env_.routes.find(domain);
  if (route_ != nullptr) {
    if (route_->capture && env_.capture) {
      co_return MxPlan::from_route(env_.capture->ip.to_text(), env_.capture->port);
    }
    co_return MxPlan::from_route(route_->host, route_->port);
  }
  if (domain.starts_with('[')) co_return MxPlan::from_literal(domain, env_.config.smtp_port);
  const auto answer = co_await env_.resolver.mx(domain);
  co_return MxPlan::from_mx(domain, answer, env_.config.smtp_port, env_.random);
}

async::Task<void> Courier::resolve(MxPlan& plan, const std::string& host) {
  using Answer = net::DnsAnswer<net::IpAddress>;
  MxPlan::Families families{sends_over_ipv4(egress_), sends_over_ipv6(egress_)};
  Answer four{.outcome = net::DnsOutcome::kNoData};
  Answer six{.outcome = net::DnsOutcome::kNoData};
  if (const auto address = net::IpAddress::from_text(host)) {
    Answer& answer = address->is_v4() ? four : six;
    answer.outcome = net::DnsOutcome::kFound;
    answer.records.push_back(*address);
    // Our own machine is reached over whatever family the route names.
    if (plan.is_static() && address->is_loopback()) families = {true, true};
  } else {
    if (families.ipv4) four = co_await env_.resolver.addresses(host, net::Family::kIpv4);
    if (families.ipv6) six = co_await env_.resolver.addresses(host, net::Family::kIpv6);
  }
  const control::SnapshotPtr control = env_.control.current();
  const std::vector<net::Network> own = env_.config.own();
  const auto refused = [&](const net::IpAddress& address) {
    const std::string text = address.to_text();
    return std::ranges::any_of(own,
                               [&](const auto& network) { return network.contains(address); }) ||
           std::ranges::any_of(control->sources, [&](const auto& entry) {
             const control::Source& source = entry.second;
             return text == source.address || text == source.address6 ||
                    text == source.public_address || text == source.public_address6;
           });
  };
  plan.resolved(four, six, families, refused, env_.random);
}

async::Task<bool> Courier::wait_for_slot() {
  while (!dispatch_.draining()) {
    const LaneLimits::Answer answer = lane_.next_slot(source_);
    if (answer.granted()) {
      slot_ = true;
      co_return true;
    }
    // Another connection has taken our place, or the rate makes us wait: for a while, not for ever.
    if (answer.at == Instant::max() || answer.at > now() + env_.config.timeouts.connect) break;
    co_await event_.wait(std::min(answer.at, now() + std::chrono::seconds{1}));
  }
  co_return false;
}

std::optional<net::Address> Courier::local_address(net::Family family) const {
  const std::string& text = family == net::Family::kIpv4 ? egress_.address : egress_.address6;
  const auto ip = net::IpAddress::from_text(text);
  if (!ip) return std::nullopt;
  return net::Address{*ip, 0};
}

control::Shaping::Tls Courier::tls_policy(const net::IpAddress& to) const {
  using Tls = control::Shaping::Tls;
  const Tls policy = route_ != nullptr && route_->tls ? *route_->tls : shaping_.tls;
  // Whoever is in between would present a certificate of his own and be told the password.
  const bool credentials_leave = route_ != nullptr && route_->auth && !to.is_loopback();
  return policy == Tls::kOpportunistic && credentials_leave ? Tls::kRequired : policy;
}

smtp::ClientConfig Courier::session_config(const MxPlan::Target& target, bool in_clear) const {
  smtp::ClientConfig config;
  config.helo = egress_.ehlo.empty() ? env_.node : egress_.ehlo;
  const control::Shaping::Tls policy = tls_policy(target.address.ip);
  switch (policy) {
    case control::Shaping::Tls::kOpportunistic:
      config.tls = in_clear ? smtp::ClientTls::kNever : smtp::ClientTls::kIfOffered;
      break;
    case control::Shaping::Tls::kRequired: config.tls = smtp::ClientTls::kRequired; break;
    case control::Shaping::Tls::kDisabled: config.tls = smtp::ClientTls::kNever; break;
  }
  if (route_ != nullptr && route_->auth) {
    config.credentials = smtp::Credentials{
        smtp::Mechanism::kPlain, {}, route_->auth->username, route_->auth->password};
    // In the clear only on this machine, or where the operator said so in as many words.
    config.auth_in_clear =
        target.address.ip.is_loopback() || policy == control::Shaping::Tls::kDisabled;
  }
  return config;
}

Instant Courier::deadline(ClientStage stage, bool writing) const {
  const Timeouts& timeouts = env_.config.timeouts;
  if (writing) return now() + timeouts.block;
  switch (stage) {
    case ClientStage::kBanner: return now() + timeouts.banner;
    case ClientStage::kEhlo: return now() + timeouts.ehlo;
    case ClientStage::kStartTls: return now() + timeouts.starttls;
    case ClientStage::kAuth: return now() + timeouts.auth;
    case ClientStage::kMail: return now() + timeouts.mail;
    case ClientStage::kRcpt: return now() + timeouts.rcpt;
    case ClientStage::kData: return now() + timeouts.data;
    case ClientStage::kDot: return now() + timeouts.dot;
    case ClientStage::kReset:
    case ClientStage::kQuit: return now() + timeouts.quit;
  }
  return now() + timeouts.mail;
}

async::Task<Courier::Ended> Courier::converse(const MxPlan::Target& target, bool in_clear) {
  Ended ended;
  // The capture has no name of its own in the DNS; events call it by what the route says.
  host_ = route_ != nullptr && route_->capture ? "capture" : target.host;
  address_ = target.address.port == 25 ? target.address.ip.to_text() : target.address.to_text();
  tls_text_.clear();
  input_.clear();
  carried_ = 0;
  ending_ = false;
  auto connected = co_await env_.connector.connect(env_.shard, target.address,
                                                   local_address(target.address.ip.family()),
                                                   now() + env_.config.timeouts.connect);
  if (!connected) {
    ended.reply = ours({4, 4, 1}, fmt::format("connect to {}[{}]: {}", host_, address_,
                                              connected.error().code.message()));
    co_return ended;
  }
  stream_ = *std::move(connected);
  ended.connected = true;
  env_.metrics.connection_opened();
  async::StopSignal::Callback on_abort(dispatch_.abort(), [this] { stream_.close(); });
  // An idle connection says QUIT; one that has nothing under way yet has nothing to wait for.
  async::StopSignal::Callback on_drain(dispatch_.drained(), [this] {
    if (open_.empty() && !idle_) stream_.close();
  });
  smtp::ClientSession session(session_config(target, in_clear));
  Instant idle_until = now() + shaping_.idle_timeout;
  for (bool closed = false; !closed;) {
    if (session.can_begin() && !ending_) {
      if (co_await offer(session)) idle_until = Instant::max();
    }
    const ClientAction action = session.next(input_);
    input_.erase(0, action.consumed);
    switch (action.kind) {
      case ClientAction::Kind::kWrite: co_await write(session); break;
      case ClientAction::Kind::kRead: co_await read(session); break;
      case ClientAction::Kind::kStartTls: co_await start_tls(session, ended); break;
      case ClientAction::Kind::kOutcome:
        peer_dsn_ = session.peer().dsn;
        outcome(session.take_outcome(), ended);
        break;
      case ClientAction::Kind::kIdle:
        no_longer_connecting();
        if (idle_until == Instant::max()) idle_until = now() + shaping_.idle_timeout;
        if (!co_await wait_for_work(session, idle_until)) session.quit();
        break;
      case ClientAction::Kind::kClosed: closed = true; break;
    }
  }
  env_.metrics.connection_closed();
  if (const auto& failure = session.failure()) {
    ended.failed = true;
    ended.reply = failure->reply;
    ended.stage = failure->stage;
  } else {
    // Greeted, and ended by us: it waited longer for a token than a connection may be idle.
    ended.served = true;
  }
  co_return ended;
}

async::Task<void> Courier::read(smtp::ClientSession& session) {
  char buffer[kReadBytes];
  const auto got = co_await stream_.read_some(buffer, deadline(session.stage(), false));
  if (!got) {
    session.disconnected(got.error().code.message());
  } else if (*got == 0) {
    session.disconnected("the host closed the connection");
  } else {
    input_.append(buffer, *got);
  }
}

async::Task<void> Courier::write(smtp::ClientSession& session) {
  const Rope output = session.take_output();
  const auto written = co_await stream_.write(output, deadline(session.stage(), true));
  if (!written) session.disconnected(written.error().code.message());
}

async::Task<void> Courier::start_tls(smtp::ClientSession& session, Ended& ended) {
  net::TlsPeer peer{.host = host_,
                    .trust = tls_policy(stream_.remote().ip) == control::Shaping::Tls::kRequired
                                 ? net::TlsTrust::kVerified
                                 : net::TlsTrust::kAny,
                    .realm = source_.text()};
  const auto done = co_await stream_.start_tls_client(env_.tls, std::move(peer),
                                                      deadline(ClientStage::kStartTls, false));
  if (!done) {
    // Injected plaintext is an attack or a broken host; neither is rewarded by going on in the
    // clear.
    ended.tls_broken = done.error().code != net::Errc::kTlsInjected;
    env_.metrics.tls_failed();
    kLog.info("TLS handshake failed",
              {{"host", host_}, {"address", address_}, {"error", done.error()}});
    session.tls_failed(done.error().code.message());
    co_return;
  }
  if (const auto& info = stream_.tls()) tls_text_ = info->version + " " + info->cipher;
  session.tls_started();
}

// --- transactions ---

async::Task<bool> Courier::may_carry(const QueuedDelivery& delivery) {
  const std::string& domain = delivery.record.head.domain();
  if (domain == domain_) co_return true;
  const control::StaticRoute* route = env_.routes.find(domain);
  if (route != nullptr || route_ != nullptr) {
    // The same hosts, the same credentials: routes that share a site are interchangeable only then.
    co_return route == route_;
  }
  const auto answer = co_await env_.resolver.mx(domain);
  co_return std::ranges::any_of(answer.records,
                                [&](const net::MxRecord& mx) { return mx.host == host_; });
}

async::Task<std::shared_ptr<Courier::Work>> Courier::next_work() {
  if (!works_.empty()) {
    std::shared_ptr<Work> work = works_.front();
    if (!work->token) {
      if (!lane_.take_token(source_)) co_return nullptr;
      work->token = true;
    }
    co_return work;
  }
  DeliveryPtr delivery = lane_.take(source_);
  if (!delivery) co_return nullptr;
  if (!co_await may_carry(*delivery)) {
    lane_.return_token(source_);
    lane_.give_back(source_, std::move(delivery));
    ending_ = true;  // its connection comes first
    co_return nullptr;
  }
  works_.push_back(take_in(std::move(delivery)));
  works_.front()->token = true;
  co_return works_.front();
}

async::Task<bool> Courier::offer(smtp::ClientSession& session) {
  const bool between = works_.empty() || !works_.front()->begun;
  if ((between && carried_ >= shaping_.max_deliveries_per_connection) || dispatch_.draining()) {
    ending_ = true;
    co_return false;
  }
  if (!dispatch_.may_begin()) co_return false;
  std::shared_ptr<Work> work = co_await next_work();
  if (!work) co_return false;
  const auto loaded = co_await dispatch_.load_content(*work->delivery);
  if (!loaded || !dispatch_.may_begin()) {
    work->token = false;
    lane_.return_token(source_);
    if (!loaded && !work->begun) {
      works_.pop_front();
      dispatch_.unreadable(std::move(work->delivery), loaded.error());
    }
    co_return false;
  }
  const poison::Work step{work->delivery->place, poison::Step::kTransaction};
  if (env_.hand.refuses(step)) [[unlikely]] {
    // Always before its first transaction: what is refused does not change while the process lives.
    work->token = false;
    lane_.return_token(source_);
    works_.pop_front();
    dispatch_.unreadable(std::move(work->delivery), poison::refusal(step.step));
    co_return false;
  }
  begin(session, work);
  no_longer_connecting();
  lane_.pump();  // the next token, for whoever waits
  co_return true;
}

void Courier::begin(smtp::ClientSession& session, const std::shared_ptr<Work>& work) {
  const poison::InHand in_hand(env_.hand, {work->delivery->place, poison::Step::kTransaction});
  const record::Delivery& record = work->delivery->record;
  const v1::Envelope& envelope = record.envelope;
  smtp::ClientTransaction transaction;
  transaction.tag = ++tag_;
  transaction.sender = envelope.sender();
  transaction.ret = static_cast<smtp::Ret>(envelope.ret());
  transaction.envid = envelope.envid();
  transaction.smtputf8 = record.head.smtputf8();
  transaction.eight_bit = record.content.has_8bit();
  transaction.size = record.content.size_unstuffed();
  transaction.content = work->delivery->content;
  transaction.dot_stuffed = record.content.dot_stuffed();

  Open open{tag_, work, {}, now()};
  // A return address names one recipient, so a transaction has one.
  const std::string return_domain =
      env_.return_path.domain_for(*env_.control.current(), record.head.tenant(), envelope.sender());
  const std::size_t batch =
      return_domain.empty() ? std::max<std::uint32_t>(shaping_.max_recipients_per_batch, 1) : 1;
  while (!work->left.empty() && open.offered.size() < batch) {
    const int index = work->left.front();
    work->left.pop_front();
    open.offered.push_back(index);
    const v1::Recipient& recipient = envelope.recipients(index);
    transaction.recipients.push_back(
        {recipient.address(), static_cast<std::uint8_t>(recipient.notify()), recipient.orcpt()});
  }
  if (!return_domain.empty()) {
    const v1::Recipient& recipient = envelope.recipients(open.offered.front());
    transaction.sender =
        env_.return_path.keys->encode({.message = work->delivery->id.message,
                                       .index = recipient.index(),
                                       .tenant_tag = report::tenant_tag(record.head.tenant())},
                                      return_domain);
    // RFC 3461 s5.2.1: where mail is forwarded, the bounce names whom we wrote to.
    std::string& orcpt = transaction.recipients.front().orcpt;
    if (orcpt.empty())
      orcpt = (text::is_ascii(recipient.address()) ? "rfc822;" : "utf-8;") + recipient.address();
  }
  work->token = false;
  work->begun = true;
  ++work->open;
  ++carried_;
  if (work->left.empty()) std::erase(works_, work);
  open_.push_back(std::move(open));
  session.begin(std::move(transaction));
}

void Courier::outcome(smtp::TransactionOutcome outcome, Ended& ended) {
  const auto at = std::ranges::find(open_, outcome.tag, &Open::tag);
  CHECK(at != open_.end() && at->offered.size() == outcome.recipients.size(),
        "an outcome for a transaction that is not open");
  Open open = std::move(*at);
  open_.erase(at);
  Work& work = *open.work;
  --work.open;
  if (!outcome.attempted) {
    // Back in front, in the order they were offered.
    work.left.insert(work.left.begin(), open.offered.begin(), open.offered.end());
    lane_.return_token(source_);
    if (std::ranges::find(works_, open.work) == works_.end()) works_.push_front(open.work);
    return;
  }
  ended.served = true;
  env_.metrics.transaction(now() - open.began);
  const bool others_accepted =
      std::ranges::any_of(outcome.recipients, [](const smtp::RecipientOutcome& recipient) {
        return recipient.stage == ClientStage::kData || recipient.stage == ClientStage::kDot;
      });
  for (std::size_t i = 0; i < open.offered.size(); ++i) {
    const smtp::RecipientOutcome& said = outcome.recipients[i];
    const Judgement judgement = judge(said, others_accepted);
    if (judgement.verdict == Verdict::kAgain) {
      work.left.push_back(open.offered[i]);
      continue;
    }
    work.results[static_cast<std::size_t>(open.offered[i])] =
        RecipientResult{judgement.verdict, record_reply(said.reply, smtp::stage_name(said.stage)),
                        std::string(judgement.category)};
  }
  if (work.complete()) {
    finish(open.work);
  } else if (!work.left.empty() && std::ranges::find(works_, open.work) == works_.end()) {
    works_.push_front(open.work);
  }
}

void Courier::finish(const std::shared_ptr<Work>& work) {
  AttemptReport report;
  for (std::optional<RecipientResult>& result : work->results) {
    CHECK(result.has_value(), "a recipient without a result");
    report.recipients.push_back(*std::move(result));
  }
  report.source = source_;
  report.host = host_;
  report.address = address_;
  report.dsn = peer_dsn_;
  report.tls = tls_text_;
  dispatch_.attempted(std::move(work->delivery), report);
}

async::Task<bool> Courier::wait_for_work(smtp::ClientSession& session, Instant idle_until) {
  if (ending_ || dispatch_.draining()) co_return false;
  lane_.idle_begins(*this);
  idle_ = true;
  lane_.pump();
  const bool woken = co_await event_.wait(idle_until);
  idle_ = false;
  lane_.idle_ends(*this);
  if (!stream_.is_open() || stream_.pending() != net::Stream::Pending::kNothing) {
    // The host hung up, or said 421 unasked, while nothing was under way.
    session.disconnected("the host closed the idle connection");
    co_return true;
  }
  co_return woken && !dispatch_.draining();
}

// --- the end of a connection ---

void Courier::fill(Work& work, const smtp::Reply& reply, std::string_view stage, Verdict verdict,
                   std::string_view category) {
  for (const int index : work.left) {
    work.results[static_cast<std::size_t>(index)] =
        RecipientResult{verdict, record_reply(reply, stage), std::string(category)};
  }
  work.left.clear();
}

// What is in hand and was not attempted: back to the lane, unless that has happened too often, or
// some of its recipients have their outcome already.
void Courier::hand_back(const Ended& ended) {
  for (std::shared_ptr<Work>& work : std::exchange(works_, {})) {
    if (work->token) lane_.return_token(source_);
    const bool fresh =
        std::ranges::none_of(work->results, [](const auto& r) { return r.has_value(); });
    if (fresh &&
        (!ended.failed || dispatch_.draining() || ++work->delivery->returns <= kReturnsMax)) {
      work->delivery->content = {};
      lane_.give_back(source_, std::move(work->delivery));
      continue;
    }
    const smtp::Reply reply = ended.reply.text.empty() && ended.reply.code == 0
                                  ? ours({4, 4, 2}, "the connection ended before its turn")
                                  : ended.reply;
    fill(*work, reply, smtp::stage_name(ended.stage), Verdict::kDeferred,
         report::bounce_category(reply, ended.stage));
    finish(work);
  }
}

void Courier::give_up(const NoWay& verdict) {
  for (std::shared_ptr<Work>& work : std::exchange(works_, {})) {
    if (work->token) lane_.return_token(source_);
    fill(*work, verdict.reply, verdict.stage,
         verdict.permanent ? Verdict::kBounced : Verdict::kDeferred, verdict.category);
    finish(work);
  }
}

}  // namespace godwit::sender
