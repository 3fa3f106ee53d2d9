#include "sender/content_uses.h"

#include "common/base/check.h"
#include "sender/parked_index.h"

namespace godwit::sender {

Result<std::size_t> ContentUses::count_in_table(const MessageId& content) const {
  std::size_t count = 0;
  TRY_VOID(retries_.scan_index(content_users_begin(content), content_users_end(content),
                               [&](std::string_view) {
                                 ++count;
                                 return true;
                               }));
  return count;
}

Result<ContentUses::Uses*> ContentUses::uses_of(const MessageId& content) {
  const auto at = uses_.find(content);
  if (at != uses_.end()) return &at->second;
  TRY(const std::size_t count, count_in_table(content));
  return &uses_.emplace(content, Uses{count, 0}).first->second;
}

Result<bool> ContentUses::stored(const MessageId& content) {
  const auto at = uses_.find(content);
  if (at != uses_.end()) return at->second.count > 0;
  TRY(const std::size_t count, count_in_table(content));
  return count > 0;
}

Result<bool> ContentUses::add(const MessageId& content) {
  TRY(Uses * uses, uses_of(content));
  ++uses->uncommitted;
  return uses->count++ == 0;
}

Result<bool> ContentUses::remove(const MessageId& content) {
  TRY(Uses * uses, uses_of(content));
  CHECK(uses->count > 0, "content {} has no users left", content.to_text());
  ++uses->uncommitted;
  return --uses->count == 0;
}

void ContentUses::committed(const MessageId& content) {
  const auto at = uses_.find(content);
  CHECK(at != uses_.end() && at->second.uncommitted > 0, "nothing of {} was on its way",
        content.to_text());
  if (--at->second.uncommitted == 0) uses_.erase(at);
}

}  // namespace godwit::sender
