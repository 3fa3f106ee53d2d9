#pragma once

#include <unordered_map>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::sender {

// How many parked deliveries use one content (`c/`): it is written with the first and deleted with the last.
//
// The table's index knows, once every commit is acknowledged; while changes of a content are on their way this
// object counts them itself. So its memory is bounded by what is in the journal.
// Threads   belongs to one shard; a first look at a content reads the local index
class ContentUses {
 public:
  explicit ContentUses(const log::Table& retries) : retries_(retries) {}

  // Is the content in the table, counting what was said here?
  [[nodiscard]] Result<bool> stored(const MessageId& content);
  // A delivery that was not parked is. True: the content must be written with it.
  [[nodiscard]] Result<bool> add(const MessageId& content);
  // A parked delivery ends. True: the content goes with it.
  [[nodiscard]] Result<bool> remove(const MessageId& content);
  // The commit with one add() or remove() is acknowledged.
  void committed(const MessageId& content);

 private:
  struct Uses {
    std::size_t count = 0;
    std::size_t uncommitted = 0;
  };
  [[nodiscard]] Result<std::size_t> count_in_table(const MessageId& content) const;
  [[nodiscard]] Result<Uses*> uses_of(const MessageId& content);

  const log::Table& retries_;
  std::unordered_map<MessageId, Uses> uses_;
};

}  // namespace godwit::sender
