#include "sender/courier.h"

#include <fmt/format.h>

#include <tuple>
#include <utility>

#include "common/async/stop_signal.h"
#include "common/base/kill_point.h"
#include "common/report/category.h"
#include "sender/errc.h"
#include "sender/lane.h"
#include "sender/transaction.h"

namespace godwit::sender {

namespace {

using smtp::ClientAction;

// A delivery whose connection ended before its turn goes back to the queue this often; then it is
// deferred.
constexpr std::uint32_t kReturnsMax = 3;

smtp::Reply ours(smtp::EnhancedCode code, std::string text) {
  return smtp::Reply::of(0, code, std::move(text));
}

}  // namespace

Courier::Courier(Lane& lane, Environment& environment, Dispatch& dispatch, SourceName source)
    : lane_(lane),
      env_(environment),
      dispatch_(dispatch),
      source_(std::move(source)),
      maker_(environment, egress_, dispatch.drained()) {
  if (const control::Source* egress = lane_.source(source_)) egress_ = *egress;
  if (const control::Shaping* shaping = lane_.shaping(source_)) shaping_ = *shaping;
  lane_.begins(*this);
}

Courier::~Courier() {
  // With something in hand only when the log went away under a read: then all of it is still in the
  // log.
  lane_.idle_ends(*this);
  lane_.ends(*this);
  if (slot_) lane_.slot_free(source_);
}

async::Task<void> Courier::run() {
  DeliveryPtr first = lane_.claim(source_);
  if (!first) {
    no_longer_connecting();
    co_return;
  }
  domain_ = first->record.head.domain();
  works_.take_in(std::move(first));
  // Questions and connection attempts end by themselves; waiting for a slot does not.
  const async::StopSignal::Callback on_drain(dispatch_.drained(), [this] { event_.notify(); });
  MxPlan plan = co_await maker_.make(domain_);
  connection_.emplace(env_, dispatch_, Connection::Way{source_, egress_, shaping_, maker_.route()});
  co_await try_hosts(plan);
  no_longer_connecting();
  // Nothing was attempted: the partition is being given back, or no slot is left.
  hand_back({});
}

// Until one has served, or all were tried.
async::Task<void> Courier::try_hosts(MxPlan& plan) {
  std::optional<MxPlan::Target> again;  // the same address once more, in the clear
  while (works_.any_left() && !dispatch_.draining()) {
    const bool in_clear = again.has_value();
    MxPlan::Step step;
    if (again) {
      step = {MxPlan::Step::Kind::kConnect, {}, *std::exchange(again, std::nullopt)};
    } else {
      step = plan.next();
    }
    if (step.kind == MxPlan::Step::Kind::kResolve) {
      co_await maker_.resolve(plan, step.host);
      continue;
    }
    if (step.kind == MxPlan::Step::Kind::kExhausted) {
      const NoWay verdict = plan.verdict();
      if (!verdict.permanent) lane_.unreachable(source_);
      co_await load_for_notices();
      give_up(verdict);
      co_return;
    }
    if (!slot_ && !co_await wait_for_slot()) co_return;
    const Ended ended = co_await converse(step.target, in_clear);
    connection_->close();
    lane_.slot_free(source_);
    slot_ = false;
    if (ended.served) {
      lane_.reached(source_);
      hand_back(ended);
      co_return;
    }
    if (dispatch_.draining()) co_return;  // it says nothing about the host
    env_.metrics.connection_failed();
    if (ended.tls_broken && !in_clear &&
        connection_->tls_policy(step.target.address.ip) == control::Shaping::Tls::kOpportunistic) {
      again = step.target;
    } else {
      plan.failed(ended.reply, report::bounce_category(ended.reply, ended.stage),
                  ended.connected ? smtp::stage_name(ended.stage) : "connect");
    }
  }
}

// What ends here without an attempt was not fetched, and its sender wants to know what it was.
async::Task<void> Courier::load_for_notices() {
  const std::deque<WorkPtr> works = works_.all();
  for (const WorkPtr& work : works) {
    if (work->delivery->record.envelope.sender().empty()) continue;
    // Without it the notification says less; the outcome is the same.
    std::ignore = co_await dispatch_.load_content(*work->delivery, now());
  }
}

void Courier::no_longer_connecting() {
  if (std::exchange(connecting_, false)) lane_.connecting_ended(source_);
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

// --- one connection ---

async::Task<Courier::Ended> Courier::converse(const MxPlan::Target& target, bool in_clear) {
  Ended ended;
  carried_ = 0;
  ending_ = false;
  if (const auto connected = co_await connection_->open(target); !connected) {
    ended.reply = ours({4, 4, 1}, fmt::format("connect to {}[{}]{}: {}", connection_->host(),
                                              connection_->address(), connection_->by_proxy(),
                                              connected.error().code.message()));
    co_return ended;
  }
  ended.connected = true;
  env_.metrics.connection_opened();
  async::StopSignal::Callback on_abort(dispatch_.abort(), [this] { connection_->close(); });
  // An idle connection says QUIT; one that has nothing under way yet has nothing to wait for.
  async::StopSignal::Callback on_drain(dispatch_.drained(), [this] {
    if (!works_.any_open() && !idle_) connection_->close();
  });
  smtp::ClientSession session(connection_->session_config(target, in_clear));
  co_await perform(session, ended);
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

// What the session asks for, until it is over.
async::Task<void> Courier::perform(smtp::ClientSession& session, Ended& ended) {
  Instant idle_until = now() + shaping_.idle_timeout;
  for (;;) {
    if (session.can_begin() && may_offer() && co_await offer(session)) idle_until = Instant::max();
    const ClientAction action = session.next(connection_->input());
    connection_->input().erase(0, action.consumed);
    switch (action.kind) {
      case ClientAction::Kind::kWrite:
        if (dispatch_.may_send()) {
          connection_->was_written(session, co_await connection_->write(session));
        } else {  // a final dot that was not taken does not go out
          session.disconnected("the partition may have another owner");
        }
        break;
      case ClientAction::Kind::kRead:
        connection_->was_read(session, co_await connection_->read(session));
        break;
      case ClientAction::Kind::kStartTls:
        ended.tls_broken = co_await connection_->start_tls(session);
        break;
      case ClientAction::Kind::kOutcome:
        peer_dsn_ = session.peer().dsn;
        outcome(session.take_outcome(), ended);
        break;
      case ClientAction::Kind::kIdle:
        no_longer_connecting();
        if (idle_until == Instant::max()) idle_until = now() + shaping_.idle_timeout;
        if (!co_await wait_for_work(session, idle_until)) session.quit();
        break;
      case ClientAction::Kind::kClosed: co_return;
    }
  }
}

async::Task<bool> Courier::wait_for_work(smtp::ClientSession& session, Instant idle_until) {
  if (ending_ || dispatch_.draining()) co_return false;
  lane_.idle_begins(*this);
  idle_ = true;
  lane_.pump();
  const bool woken = co_await event_.wait(idle_until);
  idle_ = false;
  lane_.idle_ends(*this);
  if (connection_->disturbed()) {
    // The host hung up, or said 421 unasked, while nothing was under way.
    session.disconnected("the host closed the idle connection");
    co_return true;
  }
  co_return woken && !dispatch_.draining();
}

// --- transactions ---

// A delivery may be there that this connection may have.
bool Courier::may_offer() {
  if (ending_) return false;
  const bool between = !works_.any_left() || !works_.first()->begun;
  const bool used_up = carried_ >= shaping_.max_deliveries_per_connection;
  const bool gone = lane_.source(source_) == nullptr;  // or its lane is elsewhere now
  if ((between && (used_up || gone)) || dispatch_.draining()) {
    ending_ = true;
    return false;
  }
  return dispatch_.may_begin() && (works_.any_left() || lane_.has_waiting(source_));
}

// A token for what is in hand, or a delivery that came with one.
async::Task<WorkPtr> Courier::next_work() {
  if (works_.any_left()) {
    WorkPtr work = works_.first();
    if (!work->token && lane_.take_token(source_)) work->token = true;
    co_return work->token ? work : nullptr;
  }
  DeliveryPtr delivery = lane_.take(source_);
  if (!delivery) co_return nullptr;
  const std::string& domain = delivery->record.head.domain();
  if (domain != domain_ && !co_await maker_.leads_to(domain, connection_->host())) {
    lane_.return_token(source_);
    lane_.give_back(source_, std::move(delivery));
    ending_ = true;  // its connection comes first
    co_return nullptr;
  }
  WorkPtr work = works_.take_in(std::move(delivery));
  work->token = true;
  co_return work;
}

void Courier::return_token(Work& work) {
  if (std::exchange(work.token, false)) lane_.return_token(source_);
}

async::Task<bool> Courier::offer(smtp::ClientSession& session) {
  const WorkPtr work = co_await next_work();
  if (!work) co_return false;
  // Behind a transaction it only tries: that one holds a share itself.
  const bool pipelined = works_.any_open();
  const auto loaded = co_await dispatch_.load_content(
      *work->delivery, pipelined ? now() : now() + shaping_.idle_timeout);
  if (!loaded || !dispatch_.may_begin()) {
    return_token(*work);
    if (!loaded && loaded.error().code == Errc::kContentMemory) {
      ending_ = !pipelined;  // waited for as long as a host waits for us
    } else if (!loaded && !work->begun) {
      works_.drop_first();
      dispatch_.unreadable(std::move(work->delivery), loaded.error());
    }
    co_return false;
  }
  if (lane_.tokens_are_committed(source_)) {
    // Not behind a transaction: its final dot would wait for the commit.
    if (pipelined || !co_await dispatch_.commit_token(lane_.id()) || !dispatch_.may_begin()) {
      return_token(*work);
      co_return false;
    }
  }
  // Whoever gave a command while it waited here is heard: this is the last moment before the attempt.
  if (!work->begun &&
      (dispatch_.is_withheld(*work->delivery) || dispatch_.is_barred(*work->delivery, source_))) {
    return_token(*work);
    works_.drop_first();
    work->delivery->drop_content();
    lane_.give_back(source_, std::move(work->delivery));
    co_return false;
  }
  const poison::Work step{work->delivery->place, poison::Step::kTransaction};
  if (env_.hand.refuses(step)) [[unlikely]] {
    // Always before its first transaction: what is refused does not change while the process lives.
    return_token(*work);
    works_.drop_first();
    dispatch_.unreadable(std::move(work->delivery), poison::refusal(step.step));
    co_return false;
  }
  begin(session, work);
  no_longer_connecting();
  lane_.pump();  // the next token, for whoever waits
  co_return true;
}

void Courier::begin(smtp::ClientSession& session, const WorkPtr& work) {
  const poison::InHand in_hand(env_.hand, {work->delivery->place, poison::Step::kTransaction});
  const TransactionMaker maker(env_, *work->delivery);
  const std::vector<int>& offered =
      works_.begin(work, maker.recipients_max(shaping_.max_recipients_per_batch), now());
  ++carried_;
  session.begin(maker.make(works_.tag(), offered));
}

void Courier::outcome(const smtp::TransactionOutcome& outcome, Ended& ended) {
  const WorkInHand::Ended transaction = works_.outcome(outcome);
  if (!outcome.attempted) return lane_.return_token(source_);
  KILL_POINT("sender.answered");
  ended.served = true;
  env_.metrics.transaction(now() - transaction.began);
  if (transaction.work->complete()) finish(*transaction.work);
}

void Courier::finish(Work& work) {
  AttemptReport report;
  report.recipients = work.take_results();
  report.source = source_;
  report.host = connection_->host();
  report.address = connection_->address();
  report.dsn = peer_dsn_;
  report.tls = connection_->tls_text();
  dispatch_.attempted(std::move(work.delivery), report);
}

// --- the end of a connection ---

// What is in hand and was not attempted: back to the lane, unless that has happened too often, or
// some of its recipients have their outcome already.
void Courier::hand_back(const Ended& ended) {
  for (const WorkPtr& work : works_.take_all()) {
    return_token(*work);
    if (work->fresh() &&
        (!ended.failed || dispatch_.draining() || ++work->delivery->returns <= kReturnsMax)) {
      work->delivery->drop_content();
      lane_.give_back(source_, std::move(work->delivery));
      continue;
    }
    const smtp::Reply reply = ended.reply.text.empty() && ended.reply.code == 0
                                  ? ours({4, 4, 2}, "the connection ended before its turn")
                                  : ended.reply;
    work->fill(Verdict::kDeferred, reply, smtp::stage_name(ended.stage),
               report::bounce_category(reply, ended.stage));
    finish(*work);
  }
}

void Courier::give_up(const NoWay& verdict) {
  for (const WorkPtr& work : works_.take_all()) {
    return_token(*work);
    work->fill(verdict.permanent ? Verdict::kBounced : Verdict::kDeferred, verdict.reply,
               verdict.stage, verdict.category);
    finish(*work);
  }
}

}  // namespace godwit::sender
