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

std::vector<std::uint32_t> recipients_of(const std::string& envelope_field) {
  v1::Sealed sealed;
  v1::Envelope envelope;
  if (!sealed.ParseFromString(envelope_field) || sealed.enc() != v1::Sealed::CLEAR ||
      !envelope.ParseFromString(sealed.data())) {
    return {};
  }
  std::vector<std::uint32_t> indexes;
  for (const auto& recipient : envelope.recipients()) indexes.push_back(recipient.index());
  return indexes;
}

Salvaged walk(std::string_view record, bool envelope) {
  Salvaged salvaged;
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(record.data()),
                                            static_cast<int>(record.size()));
  // Field by field until one cannot be read.
  while (const std::uint32_t tag = in.ReadTag()) {
    const int field = Wire::GetTagFieldNumber(tag);
    const bool wanted =
        field == v1::Message::kMessageIdFieldNumber || field == v1::Message::kEnvelopeFieldNumber;
    if (!wanted || Wire::GetTagWireType(tag) != Wire::WIRETYPE_LENGTH_DELIMITED) {
      if (!Wire::SkipField(&in, tag)) break;
      continue;
    }
    std::uint32_t size = 0;
    std::string value;
    if (!in.ReadVarint32(&size) || !in.ReadString(&value, static_cast<int>(size))) break;
    if (field == v1::Message::kMessageIdFieldNumber) {
      salvaged.message = MessageId::from_octets(value);
      if (!envelope) return salvaged;
    } else if (envelope) {
      salvaged.recipients = recipients_of(value);
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
