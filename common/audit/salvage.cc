#include "common/audit/salvage.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <string>

#include "godwit/v1/delivery.pb.h"
#include "godwit/v1/message.pb.h"

namespace godwit::audit {
namespace {

using Wire = google::protobuf::internal::WireFormatLite;

static_assert(int{v1::Message::kMessageIdFieldNumber} == int{v1::Delivery::kMessageIdFieldNumber});
static_assert(int{v1::Message::kEnvelopeFieldNumber} == int{v1::Delivery::kEnvelopeFieldNumber});

// The fields of a message that hold octets or a number, one after the other, without taking any apart.
class Fields {
 public:
  explicit Fields(std::string_view octets)
      : in_(reinterpret_cast<const std::uint8_t*>(octets.data()), static_cast<int>(octets.size())) {
  }

  // False: at the end, or at octets that are no field.
  bool next() {
    const std::uint32_t tag = in_.ReadTag();
    if (tag == 0) {
      whole_ = in_.ConsumedEntireMessage();
      return false;
    }
    number = Wire::GetTagFieldNumber(tag);
    octets.clear();
    value = 0;
    std::uint32_t size = 0;
    switch (Wire::GetTagWireType(tag)) {
      case Wire::WIRETYPE_VARINT: return in_.ReadVarint64(&value);
      case Wire::WIRETYPE_LENGTH_DELIMITED:
        return in_.ReadVarint32(&size) && in_.ReadString(&octets, static_cast<int>(size));
      default: return Wire::SkipField(&in_, tag);
    }
  }
  [[nodiscard]] bool whole() const { return whole_; }

  int number = 0;
  std::string octets;
  std::uint64_t value = 0;

 private:
  google::protobuf::io::CodedInputStream in_;
  bool whole_ = false;
};

// Whatever killed who decoded the record may be in there: it is walked over, not parsed.
std::vector<std::uint32_t> recipients_of(const std::string& envelope_field) {
  std::string envelope;
  Fields sealed(envelope_field);
  while (sealed.next()) {
    if (sealed.number == v1::Sealed::kEncFieldNumber && sealed.value != v1::Sealed::CLEAR)
      return {};
    if (sealed.number == v1::Sealed::kDataFieldNumber) envelope = sealed.octets;
  }
  std::vector<std::uint32_t> indexes;
  Fields fields(envelope);
  while (fields.next()) {
    if (fields.number != v1::Envelope::kRecipientsFieldNumber) continue;
    std::uint64_t index = 0;
    Fields recipient(fields.octets);
    while (recipient.next()) {
      if (recipient.number == v1::Recipient::kIndexFieldNumber) index = recipient.value;
    }
    if (!recipient.whole()) return {};
    indexes.push_back(static_cast<std::uint32_t>(index));
  }
  if (!sealed.whole() || !fields.whole()) return {};
  return indexes;
}

Salvaged walk(std::string_view record, bool envelope) {
  Salvaged salvaged;
  Fields fields(record);
  // Until one cannot be read.
  while (fields.next()) {
    if (fields.number == v1::Message::kMessageIdFieldNumber) {
      salvaged.message = MessageId::from_octets(fields.octets);
      if (!envelope) return salvaged;
    } else if (envelope && fields.number == v1::Message::kEnvelopeFieldNumber) {
      salvaged.recipients = recipients_of(fields.octets);
    }
  }
  return salvaged;
}

}  // namespace

std::optional<MessageId> salvage_message(std::string_view record) {
  return walk(record, /*envelope=*/false).message;
}

Salvaged salvage(std::string_view record) {
  return walk(record, /*envelope=*/true);
}

}  // namespace godwit::audit
