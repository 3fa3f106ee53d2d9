#include "common/record/records.h"

#include <algorithm>
#include <climits>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>

#include "common/base/check.h"
#include "common/record/errc.h"
#include "common/record/texts.h"
#include "common/record/wire.h"

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

// Whatever `out` held is gone.
template <class Proto>
Result<void> parse(std::string_view octets, Proto& out) {
  if (octets.empty()) {
    out.Clear();
    return {};
  }
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

// A record's octets in one allocation of their exact size.
class Writer {
 public:
  explicit Writer(std::size_t bytes)
      : buffer_(std::make_shared_for_overwrite<char[]>(bytes)), bytes_(bytes), at_(buffer_.get()) {}

  // Its ByteSizeLong() was just asked for, and is kept inside.
  template <class Proto>
  void add_sized(const Proto& message) {
    at_ = reinterpret_cast<char*>(
        message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(at_)));
  }
  void add_field_head(std::uint32_t number, std::size_t payload_bytes) {
    at_ = put_field_head(at_, number, payload_bytes);
  }
  void add(std::string_view octets) { at_ = std::ranges::copy(octets, at_).out; }

  [[nodiscard]] Bytes finish() && {
    const std::string_view all(buffer_.get(), bytes_);
    CHECK(at_ == all.end(), "a record of another size than was counted");
    return {std::move(buffer_), all};
  }

 private:
  std::shared_ptr<char[]> buffer_;
  std::size_t bytes_;
  char* at_;
};

// The fields of a record's head. It is versioned if the value is not.
template <class Head>
class HeadFields {
 public:
  explicit HeadFields(const Head& head) : head_(head), head_bytes_(head.ByteSizeLong()) {
    static_assert(kVersion == 1 && Head::kVersionFieldNumber == 1);
  }
  [[nodiscard]] std::size_t bytes() const {
    return head_bytes_ + (head_.version() == 0 ? kVersionField.size() : 0);
  }
  void write_to(Writer& out) const {
    if (head_.version() == 0) out.add(kVersionField);
    out.add_sized(head_);
  }

 private:
  // Tag and value, as the generated code writes them: first.
  static constexpr std::string_view kVersionField = "\x08\x01";
  const Head& head_;
  std::size_t head_bytes_;
};

// A field with a shell and, as the last field in it, `data_bytes` octets that are to follow.
template <class Shell>
class ShellField {
 public:
  ShellField(std::uint32_t number, const Shell& shell, std::size_t data_bytes)
      : number_(number),
        shell_(shell),
        shell_bytes_(shell.ByteSizeLong()),
        data_bytes_(data_bytes) {
    CHECK(shell.data().empty(), "the octets stand beside the shell, not in it");
  }
  // Without the data.
  [[nodiscard]] std::size_t bytes() const {
    return field_head_bytes(number_, payload_bytes()) + payload_bytes() - data_bytes_;
  }
  void write_to(Writer& out) const {
    out.add_field_head(number_, payload_bytes());
    if (shell_bytes_ > 0) out.add_sized(shell_);
    if (data_bytes_ > 0) out.add_field_head(Shell::kDataFieldNumber, data_bytes_);
  }

 private:
  [[nodiscard]] std::size_t payload_bytes() const {
    return shell_bytes_ + data_bytes_ +
           (data_bytes_ == 0 ? 0 : field_head_bytes(Shell::kDataFieldNumber, data_bytes_));
  }
  std::uint32_t number_;
  const Shell& shell_;
  std::size_t shell_bytes_;
  std::size_t data_bytes_;
};

template <class Head>
Rope encode_plain(const Head& head) {
  const HeadFields fields(head);
  Writer out(fields.bytes());
  fields.write_to(out);
  return std::move(out).finish();
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

// Each part of `into` is replaced by the record's.
template <class Head>
Result<void> read(const Rope& record, Carrier<Head>& into) {
  TakenField envelope{.number = Head::kEnvelopeFieldNumber};
  TakenField content{.number = Head::kContentFieldNumber};
  TRY(const TakenApart apart, take_apart(record, {&envelope, &content}));
  constexpr bool kDelivery = std::is_same_v<Head, v1::Delivery>;
  TRY_VOID(check_version(apart.version, kDelivery ? kDecisionVersion : kVersion));
  TRY_VOID(parse(apart.rest.view(), into.head));
  TRY_VOID(unseal(envelope, into.seal, into.envelope));
  TRY(into.data, open_shell(content, into.content));
  if constexpr (kDelivery) {
    if (into.head.domain().empty()) into.head.set_domain(into.head.site());
  }
  return check(into);
}

Result<void> read(const Rope& record, Event& into) {
  TakenField addresses{.number = v1::Event::kAddressesFieldNumber};
  TRY(const TakenApart apart, take_apart(record, {&addresses}));
  TRY_VOID(check_version(apart.version));
  TRY_VOID(parse(apart.rest.view(), into.head));
  TRY_VOID(unseal(addresses, into.seal, into.addresses));
  return check_message_id(into.head.message_id());
}

// A record with very many recipients does not keep its memory for those after it.
template <class Head>
bool is_bulky(const Carrier<Head>& value) {
  return value.envelope.recipients_size() > kKeptRecipientsMax;
}
bool is_bulky(const Event& /*value*/) {
  return false;
}

template <class Record>
Result<void> read_into(const Rope& record, Record& into) {
  if (is_bulky(into)) into = {};
  Result<void> done = read(record, into);
  if (!done) into = {};
  return done;
}

template <class Record>
Result<Record> read_new(const Rope& record) {
  Record out;
  TRY_VOID(read(record, out));
  return out;
}

template <class Head>
Result<Rope> encode_carrier(const Carrier<Head>& carrier) {
  CHECK(!carrier.head.has_envelope() && !carrier.head.has_content(), "they stand beside the head");
  TRY_VOID(check(carrier));
  TRY_VOID(check_text(carrier));
  const HeadFields head(carrier.head);
  const std::size_t envelope_bytes = carrier.envelope.ByteSizeLong();
  const ShellField envelope(Head::kEnvelopeFieldNumber, carrier.seal, envelope_bytes);
  const ShellField content(Head::kContentFieldNumber, carrier.content, carrier.data.size());
  Writer out(head.bytes() + envelope.bytes() + envelope_bytes + content.bytes());
  head.write_to(out);
  envelope.write_to(out);
  out.add_sized(carrier.envelope);
  content.write_to(out);
  Rope record(std::move(out).finish());
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

Result<void> decode(const Rope& record, Message& into) {
  return read_into(record, into);
}
Result<void> decode(const Rope& record, Delivery& into) {
  return read_into(record, into);
}
Result<void> decode(const Rope& record, Event& into) {
  return read_into(record, into);
}
Result<Message> decode_message(const Rope& record) {
  return read_new<Message>(record);
}
Result<Delivery> decode_delivery(const Rope& record) {
  return read_new<Delivery>(record);
}
Result<Event> decode_event(const Rope& record) {
  return read_new<Event>(record);
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

Result<Rope> encode(const Event& event) {
  CHECK(!event.head.has_addresses(), "they stand beside the head");
  TRY_VOID(check_message_id(event.head.message_id()));
  TRY_VOID(check_text(event));
  const HeadFields head(event.head);
  const std::size_t addresses_bytes = event.addresses.ByteSizeLong();
  const ShellField addresses(v1::Event::kAddressesFieldNumber, event.seal, addresses_bytes);
  Writer out(head.bytes() + addresses.bytes() + addresses_bytes);
  head.write_to(out);
  addresses.write_to(out);
  out.add_sized(event.addresses);
  return Rope(std::move(out).finish());
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
  return encode_plain(claim);
}

Rope encode(const v1::FinishedPositions& positions) {
  return encode_plain(positions);
}
Rope encode(const v1::LaneState& state) {
  return encode_plain(state);
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
  const HeadFields head(dead.head);
  constexpr std::uint32_t kValue = v1::DeadRecord::kValueFieldNumber;
  Writer out(head.bytes() + field_head_bytes(kValue, dead.value.size()));
  head.write_to(out);
  out.add_field_head(kValue, dead.value.size());
  Rope record(std::move(out).finish());
  record.append(dead.value);
  return record;
}

}  // namespace godwit::record
