// Records from a log that may hold anything: decoding never crashes, and what was read can be written again.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "common/base/check.h"
#include "common/record/event_view.h"
#include "common/record/keys.h"
#include "common/record/records.h"

namespace {

using namespace godwit;

Rope in_pieces(std::string_view octets, std::size_t size) {
  Rope out;
  for (std::size_t at = 0; at < octets.size(); at += size) {
    out.append(Bytes::copy_of(octets.substr(at, size)));
  }
  return out;
}

template <class Record>
void rewrite(const Result<Record>& read) {
  if (!read) return;
  CHECK(record::encode(*read).has_value(), "read, and not written again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Rope record = in_pieces(octets, std::size_t{data[0]} + 1);

  const Result<record::Message> message = record::decode_message(record);
  rewrite(message);
  const Result<Rope> stripped = record::strip_content(record);
  if (message) {
    CHECK(stripped && record::decode_message(*stripped), "a message that cannot be stripped");
  }
  rewrite(record::decode_delivery(record));
  const Result<record::Event> event = record::decode_event(record);
  rewrite(event);
  if (event) CHECK(record::event_json(*event).starts_with('{'), "no object");
  if (const Result<record::Dead> dead = record::decode_dead(record)) {
    CHECK(record::decode_dead(record::encode(*dead)).has_value(), "read, and not written again");
  }
  std::ignore = record::decode_finished_positions(octets);
  std::ignore = record::decode_lane_state(octets);
  std::ignore = record::delivery_of_key(octets);
  std::ignore = record::lane_of_key(octets);
  return 0;
}
