#include "sender/event_record.h"

#include <utility>

#include "common/base/check.h"
#include "common/text/escape.h"

namespace godwit::sender {

namespace {

constexpr std::size_t kTextMax = 1024;  // octets of a field

void make_printable(std::string& text) {
  text = text::printable(text, kTextMax);
}

// What the host, or whoever names it, has said.
void make_printable(v1::Event& event) {
  if (event.has_remote()) {
    make_printable(*event.mutable_remote()->mutable_host());
    make_printable(*event.mutable_remote()->mutable_address());
  }
  if (event.has_reply()) {
    make_printable(*event.mutable_reply()->mutable_enhanced());
    make_printable(*event.mutable_reply()->mutable_text());
  }
  make_printable(*event.mutable_tls());
}

}  // namespace

EventRecord EventRecord::of(record::Event& event) {
  Result<Rope> value = record::encode(event);
  if (!value) {
    make_printable(event.head);
    value = record::encode(event);
    CHECK(value.has_value(), "an event of ours: {}", value.error().to_string());
  }
  return {event.head.type(), event.head.attempt(), event.head.held(), *std::move(value)};
}

record::Event& EventRecord::blank() {
  thread_local record::Event event;
  event.head.Clear();
  event.seal.Clear();
  event.addresses.Clear();
  return event;
}

}  // namespace godwit::sender
