#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "godwit/v1/dead.pb.h"
#include "godwit/v1/delivery.pb.h"
#include "godwit/v1/envelope.pb.h"
#include "godwit/v1/event.pb.h"
#include "godwit/v1/message.pb.h"

// Records between their Protobuf form in the log (proto/godwit/v1, docs/formats/records.md) and
// values.
//
// Zero copy  inline content is never copied: encoding appends the caller's pieces behind the
//            serialised head, decoding slices them out of the record. The result is ordinary
//            Protobuf either way.
// Sealed     envelopes and addresses are opened on decoding and sealed on encoding. Only CLEAR
//            exists today.
// Versions   encoding writes this version unless the value already carries one; fields this version
//            does not know survive decode and encode.
// Errors     decoding: kMalformed, kUnknownVersion, kUnknownEncryption; never crashes on any
//            octets. encoding: kNotUtf8 where a text field came from outside, kMalformed where a
//            rule below is broken.
// Limits     memory <= the record's size; recursion as Protobuf's
// Threads    pure
namespace godwit::record {

inline constexpr std::uint32_t kVersion = 1;  // of every record kind so far
// Of a delivery that carries an operator's decision: who does not know decisions must not take it for mail.
inline constexpr std::uint32_t kDecisionVersion = 2;

// A record with an envelope and a content: topic `accepted` (v1::Message) or `outbound`
// (v1::Delivery).
template <class Head>
struct Carrier {
  Head head;              // everything but envelope and content, whose fields stay unset
  v1::Sealed seal;        // enc and key_id of the envelope; `data` stays unset
  v1::Envelope envelope;  // opened
  v1::Content content;    // size, flags and references; `data` stays unset
  Rope data;              // the inline content; empty when `content` refers to it instead

  // Exactly one way to the octets. kNone: stripped (strip_content), or content of no octets.
  enum class Where { kNone, kInline, kPosition, kBody, kParked };
  [[nodiscard]] Where where() const {
    if (!data.empty()) return Where::kInline;
    if (content.has_position()) return Where::kPosition;
    if (content.has_body()) return Where::kBody;
    return content.parked() ? Where::kParked : Where::kNone;
  }
  // decode checks that the 16 octets are there.
  [[nodiscard]] MessageId message_id() const {
    return MessageId::from_octets(head.message_id()).value_or(MessageId{});
  }
};
using Message = Carrier<v1::Message>;
using Delivery = Carrier<v1::Delivery>;

// Beyond Protobuf, decoding checks: message_id has 16 octets, at least one recipient, recipient
// indexes ascending, at most one way to the content, content.size equals the inline octets.
//
// decode() reads into a value that is used again and again: only the memory of its texts and parts
// stays from record to record (that of kKeptRecipientsMax recipients at most), nothing of what they
// held. After an error `into` is empty. The others make a new value each time, which costs some
// twenty allocations.
[[nodiscard]] Result<void> decode(const Rope& record, Message& into);
[[nodiscard]] Result<void> decode(const Rope& record, Delivery& into);
[[nodiscard]] Result<Message> decode_message(const Rope& record);
[[nodiscard]] Result<Delivery> decode_delivery(const Rope& record);
inline constexpr int kKeptRecipientsMax = 64;
[[nodiscard]] Result<Rope> encode(const Message& message);
[[nodiscard]] Result<Rope> encode(const Delivery& delivery);

// Smallest recipient index when first routed: the id never changes.
[[nodiscard]] DeliveryId delivery_id(const Delivery& delivery);

// The same accepted record without its inline content; size and checksum stay. What the archive
// keeps for audits once the content is delivered. A record without inline content comes back as it
// is.
[[nodiscard]] Result<Rope> strip_content(const Rope& accepted);

struct Event {
  v1::Event head;   // `addresses` stays unset
  v1::Sealed seal;  // as in Carrier
  v1::EventAddresses addresses;
};
[[nodiscard]] Result<void> decode(const Rope& record, Event& into);  // as above
[[nodiscard]] Result<Event> decode_event(const Rope& record);
[[nodiscard]] Result<Rope> encode(const Event& event);

[[nodiscard]] Result<v1::FinishedPositions> decode_finished_positions(std::string_view value);
[[nodiscard]] Result<v1::LaneState> decode_lane_state(std::string_view value);
[[nodiscard]] Result<v1::OwnerClaim> decode_owner_claim(std::string_view value);
[[nodiscard]] Rope encode(const v1::FinishedPositions& positions);
[[nodiscard]] Rope encode(const v1::OwnerClaim& claim);
[[nodiscard]] Rope encode(const v1::LaneState& state);

// A dead record; `value` stays beside the head and is not copied.
struct Dead {
  v1::DeadRecord head;  // `value` stays unset
  Rope value;
};
[[nodiscard]] Result<Dead> decode_dead(const Rope& record);
[[nodiscard]] Rope encode(const Dead& dead);

}  // namespace godwit::record
