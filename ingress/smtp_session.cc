#include "ingress/smtp_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/mail/address_list.h"
#include "common/mail/compose.h"
#include "common/mail/header.h"
#include "common/observe/log.h"
#include "common/text/idna.h"
#include "ingress/message_options.h"

using namespace std::chrono_literals;

namespace godwit::ingress {
namespace {

using smtp::Reply;

const observe::Logger kLog{"ingress"};

constexpr std::size_t kCommandBufferBytes = 4 * 1024;
constexpr std::size_t kContentBufferBytesMin = 8 * 1024;
constexpr std::size_t kContentBufferBytesMax = 512 * 1024;
constexpr std::uint64_t kContentTrustBytes = 64 * 1024;
constexpr Duration kIdleWithBuffer = 1s;  // then the buffer is given away
constexpr Duration kLingerTime = 2s;      // for a reply to be read before a connection is reset

const smtp::ServerConfig& protocol_for(const Port& port, const net::IpAddress& client) {
  return client.is_loopback() ? port.protocol_loopback : port.protocol;
}

// What an error of the log means to the client. Nothing says more than the code needs.
Reply reply_for(const Error& error) {
  if (error.code == log::Errc::kNoSpace) {
    return Reply::of(452, {4, 3, 1}, "Insufficient system storage");
  }
  return Reply::of(451, {4, 3, 0}, "Temporary failure, try again later");
}

// An append whose acknowledgement may come late, or never. Lives as long as the log knows of it.
struct PendingAppend {
  async::Event acknowledged;
  std::optional<Result<log::Written>> result;
};

}  // namespace

SmtpSession::SmtpSession(const Services& services, const Port& port, ShardServices& shard,
                         net::Stream stream)
    : services_(services),
      port_(port),
      shard_(shard),
      stream_(std::move(stream)),
      client_(stream_.remote().ip),
      trusted_(port.trusts(client_)),
      number_(system_random().next()),
      protocol_(protocol_for(port, client_), port.config.tls == ListenerTls::kImplicit) {}

std::string SmtpSession::id() const {
  return fmt::format("{:016x}", number_);
}

// A coroutine whose parameters and session live in its frame, the only one of an idle session.
async::Task<void> SmtpSession::serve(const Services& services, const Port& port,
                                     ShardServices& shard, net::Stream stream) {
  SmtpSession session(services, port, shard, std::move(stream));
  if (!co_await session.begin()) co_return;
  while (co_await session.work()) {
    if (!session.woken(co_await session.stream_.wait_readable(session.command_deadline_))) break;
  }
  co_await session.end();
}

async::Task<bool> SmtpSession::begin() {
  on_stop_.emplace(shard_.stop, [this] { stream_.close(); });
  auto [entry, pass] = services_.sessions.enter(client_, trusted_ || client_.is_loopback());
  pass_ = std::move(pass);
  const bool implicit_tls = port_.config.tls == ListenerTls::kImplicit;
  if (entry != SessionCounts::Entry::kEntered) {
    services_.metrics.session_refused();
    kLog.info("session refused",
              {{"session", id()},
               {"listener", port_.name()},
               {"limit", entry == SessionCounts::Entry::kFull ? "sessions_max"
                                                              : "sessions_per_address_max"}});
    if (implicit_tls) co_return false;  // without a handshake there is nobody to talk to
    protocol_.close(Reply::of(421, {4, 7, 0}, services_.hostname + " Too many connections"));
  } else {
    services_.metrics.session_begun(port_.config.kind);
    if (observe::Logger::enabled(observe::Level::kDebug)) {
      kLog.debug("session begun", {{"session", id()},
                                   {"listener", port_.name()},
                                   {"client", observe::personal(stream_.remote().to_text())}});
    }
  }
  if (implicit_tls && !co_await handshake()) co_return false;
  on_drain_.emplace(shard_.drain, [this] { drain_requested(); });
  command_deadline_ = in(services_.config.timeouts.command);
  co_return true;
}

async::Task<bool> SmtpSession::work() {
  for (bool open = true; open;) {
    const smtp::ServerAction action = protocol_.next(input_.view());
    if (action.kind == Kind::kContent) take_content(action.content);
    input_.consume(action.consumed);
    // For the next command; what takes its time, as storing does, sets it anew below.
    if (action.consumed > 0) command_deadline_ = in(services_.config.timeouts.command);
    switch (action.kind) {
      case Kind::kContent: break;
      case Kind::kRead:
        if (!co_await write_output()) {
          open = false;
        } else if (protocol_.receiving_content()) {
          open = co_await read_content();
        } else if (!input_.empty() || !protocol_.idle()) {
          open = co_await read_command();
        } else if (const Read read = co_await read_next_command(); read != Read::kSomething) {
          co_return read == Read::kNothing;
        }
        break;
      case Kind::kWrite: open = co_await write_output(); break;
      case Kind::kMail:
        if (auto refusal = refuse_mail()) {
          forget_message();
          protocol_.answer(*refusal);
        } else {
          protocol_.accept();
        }
        break;
      case Kind::kRcpt:
        if (auto refusal = refuse_recipient())
          protocol_.answer(*refusal);
        else
          protocol_.accept();
        break;
      case Kind::kData:
        if (auto refusal = refuse_content()) {
          protocol_.answer(*refusal);
        } else {
          protocol_.accept();
          begin_content();
        }
        break;
      case Kind::kMessage: {
        const Reply reply = co_await finish_message();
        if (!reply.positive()) services_.metrics.message_refused(reply.permanent());
        forget_message();
        protocol_.answer(reply);
        break;
      }
      case Kind::kAbort: forget_message(); break;
      case Kind::kAuth: co_await authenticate(); break;
      case Kind::kStartTls: open = co_await start_tls(); break;
      case Kind::kClose:
        co_await close();
        open = false;
        break;
    }
    if (action.consumed > 0) command_deadline_ = in(services_.config.timeouts.command);
  }
  co_return false;
}

// The wait between two messages is over.
bool SmtpSession::woken(const Result<void>& ready) {
  waiting_idle_ = false;
  if (ready) return true;
  if (ready.error().code != net::Errc::kTimeout) return false;
  close_for_silence();
  return true;
}

async::Task<void> SmtpSession::end() {
  if (farewell_) {
    farewell_->ended.notify();
    co_await farewell_->said.wait();
  }
  if (observe::Logger::enabled(observe::Level::kDebug))
    kLog.debug("session ended", {{"session", id()}, {"errors", protocol_.errors()}});
}

// --- connection ----------------------------------------------------------------------------------

async::Task<bool> SmtpSession::handshake() {
  const auto done =
      co_await stream_.start_tls_server(*services_.tls, in(services_.config.timeouts.handshake));
  if (done) co_return true;
  services_.metrics.tls_failed();
  kLog.debug("TLS handshake failed", {{"session", id()}, {"error", done.error()}});
  co_return false;
}

async::Task<bool> SmtpSession::start_tls() {
  // RFC 3207 s4.2, CVE-2011-0411: what is here already was sent in the clear, behind STARTTLS.
  if (stream_.pending() != net::Stream::Pending::kNothing || !input_.empty()) {
    (void)protocol_.take_output();
    (void)co_await stream_.write("554 5.5.0 Octets received behind STARTTLS, closing\r\n",
                                 in(services_.config.timeouts.write));
    co_return false;
  }
  if (!co_await write_output() || !co_await handshake()) co_return false;
  protocol_.tls_started();
  forget_message();
  co_return true;
}

async::Task<bool> SmtpSession::write_output() {
  if (!protocol_.has_output()) co_return true;
  const std::string output = protocol_.take_output();
  co_return (co_await stream_.write(output, in(services_.config.timeouts.write))).has_value();
}

// After an error or in a drain the peer may still be sending: were the connection closed over
// unread octets, TCP would reset it and our reply be lost. So it is read for a moment.
async::Task<void> SmtpSession::close() {
  if (saying_farewell_) {  // which writes, and ends our side
    const Instant deadline = shard_.shard.now() + kLingerTime;
    do {
      input_.consume(input_.view().size());
    } while ((co_await stream_.read_some(input_.space(kCommandBufferBytes), deadline)).value_or(0) >
             0);
    co_return;
  }
  if (!co_await write_output() || (protocol_.errors() == 0 && !draining_)) co_return;
  co_await stream_.finish(shard_.shard.now() + kLingerTime);
}

bool SmtpSession::read_ended(const Result<std::size_t>& count) {
  if (count && *count > 0) {
    input_.received(*count);
    return false;
  }
  if (count || count.error().code != net::Errc::kTimeout) return true;
  close_for_silence();
  return false;
}

void SmtpSession::close_for_silence() {
  services_.metrics.timed_out();
  protocol_.close(Reply::of(421, {4, 4, 2}, services_.hostname + " Timeout, closing connection"));
  input_.consume(input_.view().size());
}

async::Task<bool> SmtpSession::read_content() {
  const std::uint64_t had = transaction_ ? transaction_->content.size() : 0;
  const std::uint64_t hint =
      std::min(protocol_.content_size_hint(), services_.config.max_message_bytes);
  // What was announced is believed as far as something of it came: a buffer is a promise of memory.
  const std::uint64_t expected =
      hint > had ? std::min(hint - had + 512, std::max(had, kContentTrustBytes)) : had;
  if (input_.full() || input_.capacity() == 0) {
    const auto capacity =
        std::clamp<std::uint64_t>(expected, kContentBufferBytesMin, kContentBufferBytesMax);
    if (transaction_ && transaction_->reservation && !transaction_->reservation->grow(capacity)) {
      services_.metrics.over_budget();
      protocol_.refuse_content(
          Reply::of(452, {4, 3, 1}, "Too much mail under way, try again later"));
      co_return true;
    }
    (void)input_.space(capacity);
  }
  const auto count =
      co_await stream_.read_some(input_.space(kContentBufferBytesMin),
                                 std::min(in(services_.config.timeouts.block), message_deadline_));
  co_return !read_ended(count);
}

async::Task<bool> SmtpSession::read_command() {
  const auto count =
      co_await stream_.read_some(input_.space(kCommandBufferBytes), command_deadline_);
  co_return !read_ended(count);
}

// Waits for a moment with a buffer at hand: a client that is busy is not asked twice. kNothing: the
// buffer was given away, and the session is left waiting.
async::Task<SmtpSession::Read> SmtpSession::read_next_command() {
  if (draining_) {
    protocol_.close(Reply::of(421, {4, 3, 2}, services_.hostname + " Service shutting down"));
    co_return Read::kSomething;
  }
  waiting_idle_ = true;
  const Instant moment = std::min(command_deadline_, shard_.shard.now() + kIdleWithBuffer);
  const auto count = co_await stream_.read_some(input_.space(kCommandBufferBytes), moment);
  if (!count && count.error().code == net::Errc::kTimeout && moment < command_deadline_) {
    input_.release();
    co_return Read::kNothing;
  }
  waiting_idle_ = false;
  co_return read_ended(count) ? Read::kEnd : Read::kSomething;
}

// --- drain ---------------------------------------------------------------------------------------

void SmtpSession::drain_requested() {
  draining_ = true;
  if (!waiting_idle_ || farewell_) return;  // else the session itself sees it when it is idle
  farewell_ = std::make_unique<Farewell>();
  if (!shard_.shard.spawn(say_farewell(), shard_.farewells)) farewell_->said.notify();
}

// While serve() waits for input: that ends when the peer hangs up, as 421 makes it, or when the
// connection is closed here; then it waits for `said`.
async::Task<void> SmtpSession::say_farewell() {
  if (!waiting_idle_) {  // a command came meanwhile: the session says it when it is idle again
    farewell_->said.notify();
    co_return;
  }
  saying_farewell_ = true;
  protocol_.close(Reply::of(421, {4, 3, 2}, services_.hostname + " Service shutting down"));
  if (co_await write_output() &&
      co_await stream_.shutdown_write(in(services_.config.timeouts.write))) {
    (void)co_await farewell_->ended.wait(shard_.shard.now() + kLingerTime);
  }
  stream_.close();
  farewell_->said.notify();
}

// --- decisions -----------------------------------------------------------------------------------

async::Task<void> SmtpSession::authenticate() {
  const Reply reply = co_await services_.authenticator.check(protocol_.credentials(), client_);
  services_.metrics.auth_ended(reply.positive());
  if (!reply.positive()) {
    kLog.info("login failed", {{"session", id()},
                               {"code", reply.code},
                               {"username", observe::personal(protocol_.credentials().username)},
                               {"client", observe::personal(client_.to_text())}});
  }
  protocol_.answer(reply);
}

std::optional<Reply> SmtpSession::refuse_mail() {
  if (draining_) return Reply::of(421, {4, 3, 2}, services_.hostname + " Service shutting down");
  if (services_.budget->exhausted()) {
    services_.metrics.over_budget();
    return Reply::of(452, {4, 3, 1}, "Too much mail under way, try again later");
  }
  transaction_ = std::make_unique<Transaction>();
  transaction_->control = services_.control.current();
  switch (port_.config.kind) {
    case ListenerKind::kRelay:
      if (!trusted_) return Reply::of(550, {5, 7, 1}, "Relaying denied");
      if (!port_.config.tenant.empty()) transaction_->tenant = TenantName{port_.config.tenant};
      return std::nullopt;
    case ListenerKind::kSubmission: {
      const auto account = transaction_->control->account(protocol_.username());
      if (!account) return Reply::of(421, {4, 7, 0}, "Authentication is no longer valid");
      transaction_->tenant = account->tenant->name;
      return refuse_sender(*account->tenant, protocol_.envelope().sender);
    }
    case ListenerKind::kInbound: break;
  }
  return std::nullopt;
}

const InboundDomains& SmtpSession::inbound_domains() {
  if (shard_.inbound->version() != transaction_->control->version) {
    shard_.inbound =
        std::make_shared<InboundDomains>(*transaction_->control, services_.return_path.domain);
  }
  return *shard_.inbound;
}

std::optional<Reply> SmtpSession::refuse_recipient() {
  const smtp::Address& recipient = protocol_.recipient().address;
  if (port_.config.kind == ListenerKind::kInbound) {
    const TenantName* tenant = inbound_domains().tenant_of(recipient);
    if (tenant == nullptr) return Reply::of(550, {5, 7, 1}, "Relaying denied");
    if (auto refusal = refuse_inbound(recipient, services_.return_path.keys.get())) return refusal;
    if (!protocol_.envelope().recipients.empty() && *tenant != transaction_->tenant) {
      // One record has one tenant; the client sends the others in a transaction of their own.
      return Reply::of(452, {4, 5, 3}, "Recipients of different owners, send again");
    }
    transaction_->tenant = *tenant;
    return std::nullopt;
  }
  if (recipient.domain().empty()) return Reply::of(550, {5, 1, 2}, "No local mailboxes here");
  return std::nullopt;
}

std::optional<Reply> SmtpSession::refuse_content() {
  transaction_->reservation = std::make_shared<Reservation>(services_.budget);
  const auto announced = std::clamp<std::uint64_t>(protocol_.content_size_hint(), 1,
                                                   services_.config.max_message_bytes);
  if (services_.budget->take(announced)) {
    services_.budget->give(announced);  // it fits now; what arrives is reserved as it comes
    return std::nullopt;
  }
  services_.metrics.over_budget();
  return Reply::of(452, {4, 3, 1}, "Too much mail under way, try again later");
}

// --- the message ---------------------------------------------------------------------------------

void SmtpSession::begin_content() {
  message_deadline_ = in(services_.config.timeouts.message);
  // The first content begins a buffer of its own, so that it lies in one piece.
  if (input_.empty()) input_.release();
}

void SmtpSession::take_content(std::string_view content) {
  transaction_->content.append(input_.slice(content));
}

void SmtpSession::forget_message() {
  transaction_.reset();
}

std::optional<Reply> SmtpSession::refuse_header(std::optional<std::string_view> from,
                                                std::uint32_t received) const {
  // RFC 5321 s6.3: a loop.
  if (received >= services_.config.limits.received_max) {
    return Reply::of(554, {5, 4, 6}, "Too many Received lines, this is a loop");
  }
  if (port_.config.kind != ListenerKind::kSubmission) return std::nullopt;
  const control::Tenant* tenant = transaction_->control->tenant(transaction_->tenant.text());
  return tenant == nullptr ? std::nullopt : refuse_from(*tenant, from);
}

void SmtpSession::choose_relay_tenant(std::optional<std::string_view> from) {
  if (port_.config.kind != ListenerKind::kRelay || !port_.config.tenant.empty() || !from) return;
  const auto written = mail::from_domain(*from);
  if (!written) return;
  const auto domain = text::to_ascii_domain(*written);
  if (!domain) return;
  if (const control::Tenant* tenant = transaction_->control->tenant_of_domain(*domain))
    transaction_->tenant = tenant->name;
}

std::string SmtpSession::tls_text() const {
  const auto& tls = stream_.tls();
  return tls ? tls->version + " " + tls->cipher : std::string{};
}

// Received: (RFC 5321 s4.4), and on submission what a client may leave to us (RFC 6409 s8.1, s8.2).
std::string SmtpSession::fields_in_front(MessageId id, Timestamp time, bool date, bool message_id,
                                         bool header_missing) const {
  const auto& recipients = protocol_.envelope().recipients;
  const std::string address = client_.to_text();
  const std::string tls = tls_text();
  std::string fields = mail::received_field(
      {.helo = protocol_.helo(),
       .address = address,
       .by = services_.hostname,
       .protocol = protocol_.protocol(),
       .tls = tls,
       .id = id,
       .recipient = recipients.size() == 1 ? std::string_view(recipients.front().address.text())
                                           : std::string_view{},
       .time = time});
  if (date) fields += mail::date_field(time);
  if (message_id) fields += mail::message_id_field(id, services_.hostname);
  if (header_missing) fields += "\r\n";  // the text is no header: an empty line keeps it the body
  return fields;
}

async::Task<Reply> SmtpSession::finish_message() {
  // A small message would keep a large buffer alive for as long as the log caches it.
  if (transaction_->content.pieces().size() == 1 &&
      input_.capacity() > 2 * transaction_->content.size() + 1024) {
    transaction_->content = Bytes::copy_of(transaction_->content.pieces().front().view());
  }
  const mail::Header header = mail::Header::scan(transaction_->content);
  const mail::HeaderFacts facts = mail::facts_of(header);
  if (auto refusal = refuse_header(facts.from, facts.received)) {
    kLog.info("message refused", {{"session", id()},
                                  {"code", refusal->code},
                                  {"tenant", transaction_->tenant.text()},
                                  {"received", facts.received}});
    co_return *refusal;
  }
  choose_relay_tenant(facts.from);

  const auto received = protocol_.content_facts();
  const bool submission = port_.config.kind == ListenerKind::kSubmission;
  Intake intake;
  intake.time = services_.clock.now();
  intake.id = MessageId::generate(services_.clock, system_random());
  intake.size_unstuffed = received.size_unstuffed;
  if (port_.config.kind == ListenerKind::kInbound) {
    intake.topic = log::Topic::kReports;  // from strangers, who ask for nothing
  } else {
    auto taken = take_options(header, std::exchange(transaction_->content, {}));
    if (!taken) co_return taken.error();
    transaction_->content = std::move(taken->content);
    intake.size_unstuffed -= taken->removed;
    intake.message_class = taken->options.message_class;
    if (intake.message_class == v1::URGENT) intake.topic = log::Topic::kAcceptedUrgent;
  }
  intake.tenant = transaction_->tenant;
  intake.envelope = protocol_.envelope();
  intake.has_8bit = received.has_8bit;
  intake.dot_stuffed = received.dot_stuffed;
  intake.origin.set_listener(std::string(kind_name(port_.config.kind)));
  intake.origin.set_protocol(std::string(protocol_.protocol()));
  intake.origin.set_address(client_.to_text());
  intake.origin.set_helo(protocol_.helo());
  intake.origin.set_username(protocol_.username());
  intake.origin.set_tls(tls_text());
  intake.origin.set_node(services_.node);
  intake.origin.set_session(id());

  const bool header_missing = facts.fields == 0 && header.end() == mail::Header::End::kNotAField;
  Bytes fields = Bytes::adopt(fields_in_front(intake.id, intake.time, submission && !facts.date,
                                              submission && !facts.message_id, header_missing));
  intake.size_unstuffed += fields.size();
  intake.content.append(std::move(fields));
  intake.content.append(std::exchange(transaction_->content, {}));

  const Instant begun = shard_.shard.now();
  const auto stored = co_await store(intake);
  const Duration took = shard_.shard.now() - begun;
  services_.metrics.stored(took);
  if (!stored) {
    kLog.error("message not stored",
               {{"session", id()}, {"id", intake.id.to_text()}, {"error", stored.error()}});
    co_return reply_for(stored.error());
  }
  const std::size_t recipients = intake.envelope.recipients.size();
  services_.metrics.message_accepted(port_.config.kind, recipients, intake.content.size());
  const std::string message_id = intake.id.to_text();
  // The event `accepted` tells it to whoever wants to know.
  if (observe::Logger::enabled(observe::Level::kDebug)) {
    kLog.debug("message accepted", {{"session", id()},
                                    {"id", message_id},
                                    {"tenant", transaction_->tenant.text()},
                                    {"recipients", recipients},
                                    {"bytes", intake.content.size()},
                                    {"protocol", protocol_.protocol()},
                                    {"store_ms", took}});
  }
  co_return Reply::of(250, {2, 0, 0}, "Ok: queued as " + message_id);
}

// The body is acknowledged before the record that names it.
async::Task<Result<void>> SmtpSession::store(const Intake& intake) {
  const Instant deadline = in(services_.config.timeouts.store);
  const IntakeRecords records(intake,
                              [this](log::Topic topic) { return services_.log.partitions(topic); });
  std::optional<log::Offset> body;
  if (records.needs_body()) {
    CO_TRY(const log::Written written, co_await append(records.body(), deadline));
    for (std::size_t i = 1; i < written.offsets.size(); ++i) {
      if (written.offsets[i] == written.offsets.front() + static_cast<log::Offset>(i)) continue;
      // A reference is a run of offsets; the chunks stay unreferenced and go with their retention.
      co_return fail(log::Errc::kUnavailable, "chunks of a body are not in a row");
    }
    body = written.offsets.front();
  }
  CO_TRY(std::vector<log::Append> appends, records.records(body));
  CO_TRY_VOID(co_await append(std::move(appends), deadline));
  co_return Result<void>{};
}

async::Task<Result<log::Written>> SmtpSession::append(std::vector<log::Append> records,
                                                      Instant deadline) {
  const auto pending = std::make_shared<PendingAppend>();
  async::Shard& shard = shard_.shard;
  // The reservation stays with the append, however late it is acknowledged: the log holds the
  // octets so long.
  shard_.producer->append(
      std::move(records),
      [pending, &shard, reservation = transaction_->reservation](Result<log::Written> written) {
        shard.post([pending, reservation, written = std::move(written)]() mutable {
          pending->result = std::move(written);
          pending->acknowledged.notify();
        });
      });
  (void)co_await pending->acknowledged.wait(deadline);
  if (pending->result) co_return *std::move(pending->result);
  co_return fail(log::Errc::kUnknown, "no acknowledgement in time");
}

}  // namespace godwit::ingress
