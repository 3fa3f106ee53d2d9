#include "common/record/event_series.h"

#include "common/base/check.h"
#include "common/record/errc.h"
#include "common/record/texts.h"
#include "common/record/wire.h"
#include "common/text/escape.h"

namespace godwit::record {
namespace {

template <class Proto>
void serialise(const Proto& proto, std::string& out) {
  out.clear();
  proto.AppendToString(&out);
}

}  // namespace

Result<void> EventSeries::begin(const Event& common) {
  const v1::Event& head = common.head;
  CHECK(head.index() == 0 && common.addresses.recipient().empty(), "they are each event's own");
  if (!MessageId::from_octets(head.message_id())) return fail(Errc::kMalformed, "message_id");
  TRY_VOID(check_text(common));
  serialise(head, head_);
  if (head.version() == 0) append_varint_field(head_, v1::Event::kVersionFieldNumber, kVersion);
  serialise(common.seal, seal_);
  serialise(common.addresses, addresses_);
  return {};
}

Result<void> EventSeries::append_event(std::uint32_t index, std::string_view recipient,
                                       std::string& out) const {
  if (!text::is_utf8(recipient)) return fail(Errc::kNotUtf8, "event addresses");
  out += head_;
  append_varint_field(out, v1::Event::kIndexFieldNumber, index);

  const std::size_t sealed_bytes =
      addresses_.size() + recipient.size() +
      field_head_bytes(v1::EventAddresses::kRecipientFieldNumber, recipient.size());
  append_field_head(
      out, v1::Event::kAddressesFieldNumber,
      seal_.size() + field_head_bytes(v1::Sealed::kDataFieldNumber, sealed_bytes) + sealed_bytes);
  out += seal_;
  append_field_head(out, v1::Sealed::kDataFieldNumber, sealed_bytes);
  out += addresses_;
  append_field_head(out, v1::EventAddresses::kRecipientFieldNumber, recipient.size());
  out += recipient;
  return {};
}

}  // namespace godwit::record
