#include "common/record/texts.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/record/errc.h"
#include "common/text/escape.h"

namespace godwit::record {
namespace {

// The texts of a record, each with the name of what it is a part of.
template <class Visit>
void each_text(const char* part, std::initializer_list<const std::string*> texts, Visit& visit) {
  for (const std::string* text : texts) visit(part, *text);
}

template <class Visit>
void each_text(const v1::Envelope& envelope, Visit& visit) {
  each_text("envelope", {&envelope.sender(), &envelope.envid()}, visit);
  for (const v1::Recipient& recipient : envelope.recipients()) {
    each_text("recipient", {&recipient.address(), &recipient.orcpt()}, visit);
  }
}

template <class Visit>
void each_text(const v1::Reply& reply, Visit& visit) {
  each_text("reply", {&reply.enhanced(), &reply.text(), &reply.command()}, visit);
}

template <class Visit>
void each_text(const v1::Message& message, Visit& visit) {
  for (const std::string& tag : message.tags()) visit("tag", tag);
  each_text("message", {&message.tenant(), &message.pool()}, visit);
  if (!message.has_origin()) return;
  const v1::Origin& origin = message.origin();
  each_text("origin",
            {&origin.listener(), &origin.protocol(), &origin.address(), &origin.helo(),
             &origin.username(), &origin.tls(), &origin.node(), &origin.session()},
            visit);
}

template <class Visit>
void each_text(const v1::Delivery& delivery, Visit& visit) {
  if (delivery.has_last_reply()) each_text(delivery.last_reply(), visit);
  for (const v1::Step& step : delivery.history()) {
    each_text("step", {&step.site(), &step.pool(), &step.cause()}, visit);
  }
  each_text("delivery",
            {&delivery.tenant(), &delivery.pool(), &delivery.site(), &delivery.domain(),
             &delivery.last_class(), &delivery.origin_protocol(), &delivery.decision().actor()},
            visit);
}

template <class Visit>
void each_text(const v1::Event& event, Visit& visit) {
  if (event.has_reply()) each_text(event.reply(), visit);
  for (const std::string& tag : event.tags()) visit("tag", tag);
  if (event.has_remote()) {
    each_text("remote", {&event.remote().host(), &event.remote().address()}, visit);
  }
  each_text("event",
            {&event.tenant(), &event.site(), &event.pool(), &event.source(), &event.tls(),
             &event.class_(), &event.node()},
            visit);
}

template <class Head, class Visit>
void each_text(const Carrier<Head>& carrier, Visit& visit) {
  each_text(carrier.head, visit);
  each_text(carrier.envelope, visit);
}

template <class Visit>
void each_text(const Event& event, Visit& visit) {
  each_text(event.head, visit);
  each_text("event addresses", {&event.addresses.sender(), &event.addresses.recipient()}, visit);
}

// Whether there is anything but ASCII in several texts.
class AsciiScan {
 public:
  void operator()(const char* /*part*/, std::string_view text) {
    for (; text.size() >= sizeof bits_; text.remove_prefix(sizeof bits_)) add<std::uint64_t>(text);
    if ((text.size() & 4) != 0) text.remove_prefix(add<std::uint32_t>(text));
    if ((text.size() & 2) != 0) text.remove_prefix(add<std::uint16_t>(text));
    if ((text.size() & 1) != 0) add<std::uint8_t>(text);
  }
  [[nodiscard]] bool all_ascii() const { return (bits_ & 0x8080'8080'8080'8080) == 0; }

 private:
  template <class Word>
  std::size_t add(std::string_view text) {
    Word word{};
    std::memcpy(&word, text.data(), sizeof word);
    bits_ |= word;
    return sizeof word;
  }
  std::uint64_t bits_ = 0;
};

// Nearly all text is ASCII: one look at all of it, and at each one only if that is not so.
template <class Record>
Result<void> check_texts_of(const Record& record) {
  AsciiScan scan;
  each_text(record, scan);
  if (scan.all_ascii()) return {};
  const char* broken = nullptr;
  auto check = [&broken](const char* part, std::string_view text) {
    if (!text::is_utf8(text)) broken = part;
  };
  each_text(record, check);
  if (broken != nullptr) return fail(Errc::kNotUtf8, broken);
  return {};
}

}  // namespace

Result<void> check_text(const Message& message) {
  return check_texts_of(message);
}
Result<void> check_text(const Delivery& delivery) {
  return check_texts_of(delivery);
}
Result<void> check_text(const Event& event) {
  return check_texts_of(event);
}

}  // namespace godwit::record
