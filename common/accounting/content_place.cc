#include "common/accounting/content_place.h"

namespace godwit::accounting {

std::optional<log::RecordPosition> content_place(const v1::Content& content) {
  if (content.has_body()) {
    return log::RecordPosition{{log::Topic::kBodies, content.body().partition()},
                               content.body().first_offset()};
  }
  if (content.has_position()) {
    const v1::Position& position = content.position();
    return log::RecordPosition{{static_cast<log::Topic>(position.topic()), position.partition()},
                               position.offset()};
  }
  return std::nullopt;
}

}  // namespace godwit::accounting
