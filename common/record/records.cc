#include "common/record/records.h"

#include <climits>
#include <initializer_list>
#include <type_traits>

#include "common/base/check.h"
#include "common/record/errc.h"
#include "common/record/wire.h"
#include "common/text/escape.h"

namespace godwit::record {
namespace {

constexpr std::size_t kMessageIdBytes = 16;

// Protobuf writes a line to standard error for each text it refuses. Ours is a Result; a corrupt topic must
// not flood the terminal.
[[maybe_unused]] const auto kSilenced = google::protobuf::SetLogHandler(nullptr);

// A record without a version is one nobody of us wrote; one above ours may mean anything.
Result<void> check_version(std::uint64_t version, std::uint32_t known = kVersion) {
  if (version == 0) return fail(Errc::kMalformed, "no version");
  if (version > known) return fail(Errc::kUnknownVersion, "version " + std::to_string(version));
  return {};
}

template <class Proto>
Result<void> parse(std::string_view octets, Proto& out) {
  if (octets.empty()) return {};  // `out` is new
  if (octets.size() > INT_MAX ||
      !out.ParseFromArray(octets.data(), static_cast<int>(octets.size()))) {
    return fail(Errc::kMalformed, std::string(out.GetTypeName()));
  }
  return {};
}

// Takes `data` (field 15 of Sealed and Content alike) out of the field and parses what is left as
// `shell`.
template <class Shell>
Result<Rope> open_shell(const TakenField& field, Shell& shell) {
  TakenField data{.number = Shell::kDataFieldNumber};
  TRY(const TakenApart apart, take_apart(field.payload, {&data}));
  TRY_VOID(parse(apart.rest.view(), shell));
  if (shell.enc() != v1::Sealed::CLEAR) {
    return fail(Errc::kUnknownEncryption, "enc " + std::to_string(shell.enc()));
  }
  return std::move(data.payload);
}

template <class Inner>
Result<void> unseal(const TakenField& field, v1::Sealed& seal, Inner& inner) {
  TRY(const Rope sealed, open_shell(field, seal));
  return parse(sealed.flatten().view(), inner);
}

// Appends field `number` with a shell and, as its last field, `data_bytes` octets that are to
// follow.
template <class Shell>
void append_shell_head(std::string& out, std::uint32_t number, const Shell& shell,
                       std::size_t data_bytes) {
  CHECK(shell.data().empty(), "the octets stand beside the shell, not in it");
  const std::size_t data_head =
      data_bytes == 0 ? 0 : field_head_bytes(Shell::kDataFieldNumber, data_bytes);
  append_field_head(out, number, shell.ByteSizeLong() + data_head + data_bytes);
  shell.AppendToString(&out);
  if (data_bytes > 0) append_field_head(out, Shell::kDataFieldNumber, data_bytes);
}

template <class Head>
std::string serialised_head(const Head& head, std::size_t more_bytes) {
  std::string out;
  out.reserve(head.ByteSizeLong() + more_bytes + 64);
  if (head.version() == 0) {
    Head versioned = head;
    versioned.set_version(kVersion);
    versioned.AppendToString(&out);
  } else {
    head.AppendToString(&out);
  }
  return out;
}

Result<void> check_utf8(std::string_view kind, std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) {
    if (!text::is_utf8(text)) return fail(Errc::kNotUtf8, std::string(kind));
  }
  return {};
}

Result<void> check_text(const v1::Envelope& envelope) {
  TRY_VOID(check_utf8("envelope", {envelope.sender(), envelope.envid()}));
  for (const v1::Recipient& recipient : envelope.recipients()) {
    TRY_VOID(check_utf8("recipient", {recipient.address(), recipient.orcpt()}));
  }
  return {};
}

Result<void> check_text(const v1::Reply& reply) {
  return check_utf8("reply", {reply.enhanced(), reply.text(), reply.command()});
}

Result<void> check_text(const v1::Message& message) {
  const v1::Origin& origin = message.origin();
  for (const std::string& tag : message.tags()) TRY_VOID(check_utf8("tag", {tag}));
  return check_utf8("message", {message.tenant(), message.pool(), origin.listener(),
                                origin.protocol(), origin.address(), origin.helo(),
                                origin.username(), origin.tls(), origin.node(), origin.session()});
}

Result<void> check_text(const v1::Delivery& delivery) {
  TRY_VOID(check_text(delivery.last_reply()));
  for (const v1::Step& step : delivery.history()) {
    TRY_VOID(check_utf8("step", {step.site(), step.pool(), step.cause()}));
  }
  return check_utf8(
      "delivery", {delivery.tenant(), delivery.pool(), delivery.site(), delivery.domain(),
                   delivery.last_class(), delivery.origin_protocol(), delivery.decision().actor()});
}

Result<void> check_text(const v1::Event& event) {
  TRY_VOID(check_text(event.reply()));
  for (const std::string& tag : event.tags()) TRY_VOID(check_utf8("tag", {tag}));
  return check_utf8("event", {event.id(), event.tenant(), event.site(), event.pool(),
                              event.source(), event.remote().host(), event.remote().address(),
                              event.tls(), event.class_(), event.node()});
}

Result<void> check_message_id(std::string_view octets) {
  if (octets.size() != kMessageIdBytes) return fail(Errc::kMalformed, "message_id");
  return {};
}

Result<void> check_recipients(const v1::Envelope& envelope) {
  if (envelope.recipients().empty()) return fail(Errc::kMalformed, "no recipients");
  const v1::Recipient* before = nullptr;
  for (const v1::Recipient& recipient : envelope.recipients()) {
    if (before != nullptr && recipient.index() <= before->index()) {
      return fail(Errc::kMalformed, "recipient indexes not ascending");
    }
    before = &recipient;
  }
  return {};
}

Result<void> check_content(const v1::Content& content, const Rope& data) {
  const int ways = int{!data.empty()} + int{content.has_position()} + int{content.has_body()} +
                   int{content.parked()};
  if (ways > 1) return fail(Errc::kMalformed, "content in more than one place");
  if (!data.empty() && content.size() != data.size()) return fail(Errc::kMalformed, "content size");
  return {};
}

Result<void> check_head(const v1::Message& message, const v1::Envelope& envelope) {
  if (message.total() != 0 && envelope.recipients().rbegin()->index() >= message.total()) {
    return fail(Errc::kMalformed, "recipient index not below the total");
  }
  return {};
}
Result<void> check_head(const v1::Delivery& delivery, const v1::Envelope& /*envelope*/) {
  const bool decides = delivery.version() == kDecisionVersion;
  if (decides != delivery.has_decision()) return fail(Errc::kMalformed, "a decision");
  return {};
}

// The rules that encoding and decoding share.
template <class Head>
Result<void> check(const Carrier<Head>& carrier) {
  TRY_VOID(check_message_id(carrier.head.message_id()));
  TRY_VOID(check_recipients(carrier.envelope));
  TRY_VOID(check_head(carrier.head, carrier.envelope));
  return check_content(carrier.content, carrier.data);
}

template <class Head>
Result<Carrier<Head>> decode_carrier(const Rope& record) {
  TakenField envelope{.number = Head::kEnvelopeFieldNumber};
  TakenField content{.number = Head::kContentFieldNumber};
  TRY(const TakenApart apart, take_apart(record, {&envelope, &content}));
  constexpr bool kDelivery = std::is_same_v<Head, v1::Delivery>;
  TRY_VOID(check_version(apart.version, kDelivery ? kDecisionVersion : kVersion));
  Carrier<Head> out;
  TRY_VOID(parse(apart.rest.view(), out.head));
  TRY_VOID(unseal(envelope, out.seal, out.envelope));
  TRY(out.data, open_shell(content, out.content));
  TRY_VOID(check(out));
  return out;
}

template <class Head>
Result<Rope> encode_carrier(const Carrier<Head>& carrier) {
  CHECK(!carrier.head.has_envelope() && !carrier.head.has_content(), "they stand beside the head");
  TRY_VOID(check(carrier));
  TRY_VOID(check_text(carrier.head));
  TRY_VOID(check_text(carrier.envelope));
  const std::size_t envelope_bytes = carrier.envelope.ByteSizeLong();
  std::string out = serialised_head(
      carrier.head, envelope_bytes + carrier.seal.ByteSizeLong() + carrier.content.ByteSizeLong());
  append_shell_head(out, Head::kEnvelopeFieldNumber, carrier.seal, envelope_bytes);
  carrier.envelope.AppendToString(&out);
  append_shell_head(out, Head::kContentFieldNumber, carrier.content, carrier.data.size());
  Rope record(Bytes::adopt(std::move(out)));
  record.append(carrier.data);
  return record;
}

template <class Proto>
Result<Proto> decode_plain(std::string_view value) {
  Proto out;
  TRY_VOID(parse(value, out));
  TRY_VOID(check_version(out.version()));
  return out;
}

}  // namespace

Result<Message> decode_message(const Rope& record) {
  return decode_carrier<v1::Message>(record);
}
Result<Delivery> decode_delivery(const Rope& record) {
  return decode_carrier<v1::Delivery>(record);
}
Result<Rope> encode(const Message& message) {
  return encode_carrier(message);
}
Result<Rope> encode(const Delivery& delivery) {
  return encode_carrier(delivery);
}

DeliveryId delivery_id(const Delivery& delivery) {
  return {delivery.message_id(), delivery.head.index()};
}

Result<Rope> strip_content(const Rope& accepted) {
  TakenField content{.number = v1::Message::kContentFieldNumber};
  TRY(const TakenApart message, take_apart(accepted, {&content}));
  TRY_VOID(check_version(message.version));
  TakenField data{.number = v1::Content::kDataFieldNumber};
  TRY(const TakenApart shell, take_apart(content.payload, {&data}));
  if (!data.present) return accepted;
  std::string head;
  append_field_head(head, v1::Message::kContentFieldNumber, shell.rest.size());
  Rope out(message.rest);
  out.append(Bytes::adopt(std::move(head)));
  out.append(shell.rest);
  return out;
}

Result<Event> decode_event(const Rope& record) {
  TakenField addresses{.number = v1::Event::kAddressesFieldNumber};
  TRY(const TakenApart apart, take_apart(record, {&addresses}));
  TRY_VOID(check_version(apart.version));
  Event out;
  TRY_VOID(parse(apart.rest.view(), out.head));
  TRY_VOID(unseal(addresses, out.seal, out.addresses));
  TRY_VOID(check_message_id(out.head.message_id()));
  return out;
}

Result<Rope> encode(const Event& event) {
  CHECK(!event.head.has_addresses(), "they stand beside the head");
  TRY_VOID(check_message_id(event.head.message_id()));
  TRY_VOID(check_text(event.head));
  TRY_VOID(check_utf8("event addresses", {event.addresses.sender(), event.addresses.recipient()}));
  const std::size_t addresses_bytes = event.addresses.ByteSizeLong();
  std::string out = serialised_head(event.head, addresses_bytes + event.seal.ByteSizeLong());
  append_shell_head(out, v1::Event::kAddressesFieldNumber, event.seal, addresses_bytes);
  event.addresses.AppendToString(&out);
  return Rope(Bytes::adopt(std::move(out)));
}

Result<v1::FinishedPositions> decode_finished_positions(std::string_view value) {
  TRY(v1::FinishedPositions positions, decode_plain<v1::FinishedPositions>(value));
  for (const v1::FinishedPositions::TopicFinished& topic : positions.topics()) {
    if (topic.run_first_size() != topic.run_length_size()) return fail(Errc::kMalformed, "runs");
  }
  return positions;
}

Result<v1::LaneState> decode_lane_state(std::string_view value) {
  return decode_plain<v1::LaneState>(value);
}

Result<v1::OwnerClaim> decode_owner_claim(std::string_view value) {
  return decode_plain<v1::OwnerClaim>(value);
}

Rope encode(const v1::OwnerClaim& claim) {
  return Bytes::adopt(serialised_head(claim, 0));
}

Rope encode(const v1::FinishedPositions& positions) {
  return Bytes::adopt(serialised_head(positions, 0));
}
Rope encode(const v1::LaneState& state) {
  return Bytes::adopt(serialised_head(state, 0));
}

Result<Dead> decode_dead(const Rope& record) {
  TakenField value{.number = v1::DeadRecord::kValueFieldNumber};
  TRY(const TakenApart apart, take_apart(record, {&value}));
  TRY_VOID(check_version(apart.version));
  Dead out;
  TRY_VOID(parse(apart.rest.view(), out.head));
  out.value = std::move(value.payload);
  return out;
}

Rope encode(const Dead& dead) {
  CHECK(dead.head.value().empty(), "it stands beside the head");
  std::string out = serialised_head(dead.head, 0);
  append_field_head(out, v1::DeadRecord::kValueFieldNumber, dead.value.size());
  Rope record(Bytes::adopt(std::move(out)));
  record.append(dead.value);
  return record;
}

}  // namespace godwit::record
