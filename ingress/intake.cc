#include "ingress/intake.h"

#include <memory>
#include <utility>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/log/by_message.h"
#include "common/record/body.h"

namespace godwit::ingress {
namespace {

// Everything of a record but recipients and content: ids, origin, flags, tags and lengths. The
// longest texts in it are bounded by the session: HELO 255, user name 255, sender and ENVID below 2
// KiB, tags 1.3 KiB.
constexpr std::size_t kHeadBytesMax = 8 * 1024;
constexpr int kKeptRecipientsMax = 64;  // of a record, in the memory it leaves for the next
constexpr std::size_t kRecipientOverheadBytes = 24;  // index, notify, tags and lengths

std::size_t recipient_bytes(const smtp::EnvelopeRecipient& recipient) {
  return recipient.address.text().size() + recipient.parameters.orcpt.size() +
         kRecipientOverheadBytes;
}

v1::Envelope::Ret ret_of(smtp::Ret ret) {
  switch (ret) {
    case smtp::Ret::kFull: return v1::Envelope::RET_FULL;
    case smtp::Ret::kHeaders: return v1::Envelope::RET_HDRS;
    case smtp::Ret::kUnset: break;
  }
  return v1::Envelope::RET_UNSET;
}

// Leaves a field unset where there is no text: it reads the same, and takes no memory.
template <class Proto>
void set_text(Proto& proto, std::string* (Proto::*field)(), std::string_view text) {
  if (!text.empty()) (proto.*field)()->assign(text);
}

void set_origin(v1::Origin& out, const Origin& origin) {
  set_text(out, &v1::Origin::mutable_listener, origin.listener);
  set_text(out, &v1::Origin::mutable_protocol, origin.protocol);
  set_text(out, &v1::Origin::mutable_address, origin.address);
  set_text(out, &v1::Origin::mutable_helo, origin.helo);
  set_text(out, &v1::Origin::mutable_username, origin.username);
  set_text(out, &v1::Origin::mutable_tls, origin.tls);
  set_text(out, &v1::Origin::mutable_node, origin.node);
  set_text(out, &v1::Origin::mutable_session, origin.session);
}

// Leaves the memory of its texts, and nothing that anybody might read.
void clear(record::Message& message) {
  if (message.envelope.recipients_size() > kKeptRecipientsMax) {
    message = {};
    return;
  }
  // Protobuf keeps what it cleared, but for single parts.
  std::unique_ptr<v1::Origin> origin(message.head.release_origin());
  message.head.Clear();
  if (origin) {
    origin->Clear();
    message.head.set_allocated_origin(origin.release());
  }
  message.envelope.Clear();
  message.content.Clear();
  message.data = {};
}

}  // namespace

IntakeRecords::IntakeRecords(const Intake& intake, const Partitions& partitions) : intake_(intake) {
  const auto& recipients = intake.envelope.recipients;
  CHECK(!recipients.empty() && !intake.content.empty(), "a message has recipients and content");
  where_ = {intake.topic, log::partition_of(intake.id, partitions(intake.topic))};
  body_partitions_ = partitions(log::Topic::kBodies);
  crc_ = crc32c(intake.content);

  std::size_t envelope_bytes = 0;
  for (const auto& recipient : recipients) envelope_bytes += recipient_bytes(recipient);
  constexpr std::size_t kRoom = log::kRecordBytesMax - kHeadBytesMax;
  if (envelope_bytes + intake.content.size() <= kRoom) {
    parts_.push_back({0, recipients.size()});
    return;
  }
  needs_body_ = true;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    if (parts_.empty() || bytes + recipient_bytes(recipients[i]) > kRoom) {
      parts_.push_back({i, i});
      bytes = 0;
    }
    bytes += recipient_bytes(recipients[i]);
    parts_.back().end = i + 1;
  }
}

std::vector<log::Append> IntakeRecords::body() const {
  if (!needs_body_) return {};
  return log::body_of(intake_.id, intake_.content, body_partitions_);
}

Result<std::vector<log::Append>> IntakeRecords::records(std::span<const log::Offset> body_offsets,
                                                        record::Message& scratch) const {
  CHECK(body_offsets.empty() != needs_body_, "the body goes first, if there is one");
  std::vector<log::Append> appends;
  appends.reserve(parts_.size());
  for (const Part& part : parts_) {
    Result<log::Append> append = record(part, body_offsets, scratch);
    clear(scratch);
    if (!append) return fail(std::move(append).error());
    appends.push_back(*std::move(append));
  }
  return appends;
}

Result<std::vector<log::Append>> IntakeRecords::records(
    std::span<const log::Offset> body_offsets) const {
  record::Message scratch;
  return records(body_offsets, scratch);
}

Result<log::Append> IntakeRecords::record(const Part& part,
                                          std::span<const log::Offset> body_offsets,
                                          record::Message& message) const {
  const smtp::Envelope& envelope = intake_.envelope;
  message.head.set_version(record::kVersion);
  set_text(message.head, &v1::Message::mutable_message_id, intake_.id.octets());
  message.head.set_accepted_unix_ms(to_unix_ms(intake_.time));
  set_text(message.head, &v1::Message::mutable_tenant, intake_.tenant.text());
  message.head.set_class_(intake_.message_class);
  message.head.set_first_index(static_cast<std::uint32_t>(part.begin));
  message.head.set_total(static_cast<std::uint32_t>(envelope.recipients.size()));
  message.head.set_smtputf8(envelope.parameters.smtputf8);
  message.head.set_body_8bitmime(envelope.parameters.body == smtp::Body::k8BitMime);
  set_origin(*message.head.mutable_origin(), intake_.origin);
  for (const std::string& tag : intake_.tags) message.head.add_tags(tag);

  set_text(message.envelope, &v1::Envelope::mutable_sender, envelope.sender.text());
  message.envelope.set_ret(ret_of(envelope.parameters.ret));
  set_text(message.envelope, &v1::Envelope::mutable_envid, envelope.parameters.envid);
  message.envelope.mutable_recipients()->Reserve(static_cast<int>(part.end - part.begin));
  for (std::size_t i = part.begin; i < part.end; ++i) {
    v1::Recipient& recipient = *message.envelope.add_recipients();
    recipient.set_index(static_cast<std::uint32_t>(i));
    set_text(recipient, &v1::Recipient::mutable_address, envelope.recipients[i].address.text());
    recipient.set_notify(envelope.recipients[i].parameters.notify);
    set_text(recipient, &v1::Recipient::mutable_orcpt, envelope.recipients[i].parameters.orcpt);
  }

  message.content.set_size(intake_.content.size());
  message.content.set_crc32c(crc_);
  message.content.set_has_8bit(intake_.has_8bit);
  message.content.set_dot_stuffed(intake_.dot_stuffed);
  message.content.set_size_unstuffed(intake_.size_unstuffed);
  // The body stays for as long as somebody has yet to read this record.
  std::optional<log::RecordPosition> body;
  if (needs_body_) {
    const log::PartitionId partition = log::partition_of(intake_.id, body_partitions_);
    body = log::RecordPosition{{log::Topic::kBodies, partition}, body_offsets.front()};
    *message.content.mutable_body() = record::refer_to_body(partition, body_offsets);
  } else {
    message.data = intake_.content;
  }
  TRY(Rope value, record::encode(message));
  CHECK(value.size() + intake_.id.octets().size() <= log::kRecordBytesMax, "a record of {} octets",
        value.size());
  return log::Append{.where = where_,
                     .key = std::string(intake_.id.octets()),
                     .value = std::move(value),
                     .refers_to = std::move(body)};
}

}  // namespace godwit::ingress
