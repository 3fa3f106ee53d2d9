// What a session decides, and what becomes of a message.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/kill_point.h"
#include "common/mail/address_list.h"
#include "common/mail/compose.h"
#include "common/mail/header.h"
#include "common/observe/log.h"
#include "common/text/idna.h"
#include "ingress/message_options.h"
#include "ingress/smtp_session.h"

namespace godwit::ingress {
namespace {

using smtp::Reply;

const observe::Logger kLog{"ingress"};

// What an error of the log means to the client. Nothing says more than the code needs.
Reply reply_for(const Error& error) {
  if (error.code == log::Errc::kNoSpace) {
    return Reply::of(452, {4, 3, 1}, "Insufficient system storage");
  }
  return Reply::of(451, {4, 3, 0}, "Temporary failure, try again later");
}

}  // namespace

// An append whose acknowledgement may come late, or never. Lives as long as the log knows of it,
// and the reservation with it: the log holds the octets so long.
struct SmtpSession::PendingAppend {
  std::shared_ptr<Reservation> reservation;
  Result<log::Written> written;  // the log's to set, and then to post that it did
  bool is_written = false;
  async::Event acknowledged;

  // At the acknowledgement, or when nobody waits for it any longer.
  Result<log::Written> take() {
    if (is_written) return std::move(written);
    return fail(log::Errc::kUnknown, "no acknowledgement in time");
  }
};

// --- decisions -----------------------------------------------------------------------------------

async::Task<void> SmtpSession::authenticate() {
  const Reply reply = co_await services_.authenticator.check(protocol_.credentials(), client());
  services_.metrics.auth_ended(reply.positive());
  if (!reply.positive()) {
    kLog.info("login failed", {{"session", id()},
                               {"code", reply.code},
                               {"username", observe::personal(protocol_.credentials().username)},
                               {"client", observe::personal(client().to_text())}});
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
  if (!shard_.inbound || shard_.inbound->version() != transaction_->control->version) {
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
std::string SmtpSession::fields_in_front(const Intake& intake, bool date, bool message_id,
                                         bool header_missing) const {
  const auto& recipients = intake.envelope.recipients;
  std::string fields = mail::received_field(
      {.helo = intake.origin.helo,
       .address = intake.origin.address,
       .by = services_.hostname,
       .protocol = intake.origin.protocol,
       .tls = intake.origin.tls,
       .id = intake.id,
       .recipient = recipients.size() == 1 ? std::string_view(recipients.front().address.text())
                                           : std::string_view{},
       .time = intake.time});
  if (date) fields += mail::date_field(intake.time);
  if (message_id) fields += mail::message_id_field(intake.id, services_.hostname);
  if (header_missing) fields += "\r\n";  // the text is no header: an empty line keeps it the body
  return fields;
}

// The message as it goes to the log, out of the transaction; or the reply that refuses it.
std::optional<Reply> SmtpSession::take_message(Intake& intake) {
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
    return refusal;
  }
  choose_relay_tenant(facts.from);

  const auto received = protocol_.content_facts();
  const bool submission = port_.config.kind == ListenerKind::kSubmission;
  intake.time = services_.clock.now();
  intake.id = MessageId::generate(services_.clock, system_random());
  intake.size_unstuffed = received.size_unstuffed;
  if (port_.config.kind == ListenerKind::kInbound) {
    intake.topic = log::Topic::kReports;  // from strangers, who ask for nothing
  } else if (facts.of_ours > 0) {
    auto taken = take_options(header, std::exchange(transaction_->content, {}));
    if (!taken) return taken.error();
    transaction_->content = std::move(taken->content);
    intake.size_unstuffed -= taken->removed;
    intake.message_class = taken->options.message_class;
    intake.tags = std::move(taken->options.tags);
    if (intake.message_class == v1::URGENT) intake.topic = log::Topic::kAcceptedUrgent;
  }
  intake.tenant = transaction_->tenant;
  intake.envelope = protocol_.take_envelope();
  intake.has_8bit = received.has_8bit;
  intake.dot_stuffed = received.dot_stuffed;
  intake.origin = {.listener = std::string(kind_name(port_.config.kind)),
                   .protocol = std::string(protocol_.protocol()),
                   .address = client().to_text(),
                   .helo = protocol_.helo(),
                   .username = protocol_.username(),
                   .tls = tls_text(),
                   .node = services_.node,
                   .session = id()};

  const bool header_missing = facts.fields == 0 && header.end() == mail::Header::End::kNotAField;
  Bytes fields = Bytes::adopt(fields_in_front(intake, submission && !facts.date,
                                              submission && !facts.message_id, header_missing));
  intake.size_unstuffed += fields.size();
  intake.content.append(std::move(fields));
  intake.content.append(std::exchange(transaction_->content, {}));
  return std::nullopt;
}

async::Task<Reply> SmtpSession::finish_message() {
  Intake intake;
  if (auto refusal = take_message(intake)) co_return *std::move(refusal);
  const Instant begun = shard_.shard.now();
  const auto stored = co_await store(intake);
  const Duration took = shard_.shard.now() - begun;
  services_.metrics.stored(took);
  if (!stored) {
    kLog.error("message not stored",
               {{"session", id()}, {"id", intake.id.to_text()}, {"error", stored.error()}});
    co_return reply_for(stored.error());
  }
  KILL_POINT("ingress.stored");
  const std::size_t recipients = intake.envelope.recipients.size();
  services_.metrics.message_accepted(port_.config.kind, recipients, intake.content.size());
  // The event `accepted` tells it to whoever wants to know.
  if (observe::Logger::enabled(observe::Level::kDebug)) {
    kLog.debug("message accepted", {{"session", id()},
                                    {"id", intake.id.to_text()},
                                    {"tenant", transaction_->tenant.text()},
                                    {"recipients", recipients},
                                    {"bytes", intake.content.size()},
                                    {"protocol", protocol_.protocol()},
                                    {"store_ms", took}});
  }
  co_return Reply::of(250, {2, 0, 0}, "Ok: queued as " + intake.id.to_text());
}

// The body is acknowledged before the record that names it.
async::Task<Result<void>> SmtpSession::store(const Intake& intake) {
  const Instant deadline = in(services_.config.timeouts.store);
  const IntakeRecords records(intake,
                              [this](log::Topic topic) { return services_.log.partitions(topic); });
  std::vector<log::Offset> body;
  if (records.needs_body()) {
    const auto chunks = append(records.body());
    (void)co_await chunks->acknowledged.wait(deadline);
    CO_TRY(log::Written written, chunks->take());
    body = std::move(written.offsets);
  }
  CO_TRY(std::vector<log::Append> appends, records.records(body, shard_.scratch));
  const auto message = append(std::move(appends));
  (void)co_await message->acknowledged.wait(deadline);
  CO_TRY_VOID(message->take());
  co_return Result<void>{};
}

std::shared_ptr<SmtpSession::PendingAppend> SmtpSession::append(std::vector<log::Append> records) {
  const auto pending = std::make_shared<PendingAppend>();
  pending->reservation = transaction_->reservation;
  shard_.producer->append(std::move(records),
                          [pending, &shard = shard_.shard](Result<log::Written> written) {
                            pending->written = std::move(written);
                            shard.post([pending] {
                              pending->is_written = true;
                              pending->acknowledged.notify();
                            });
                          });
  return pending;
}

}  // namespace godwit::ingress
