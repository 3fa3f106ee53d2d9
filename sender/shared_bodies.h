#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/async/event.h"
#include "common/async/stop_signal.h"
#include "common/async/task.h"
#include "common/base/bytes.h"
#include "common/log/types.h"
#include "sender/content_budget.h"

namespace godwit::sender {

// Content of `bodies` that deliveries of one shard have loaded now, by where it begins: many deliveries of one message
// read it once.
//
//     if (SharedBodies::BodyPtr body = bodies.find(key)) ...       somebody has it
//     else if (auto reading = bodies.begin(key)) ...               nobody has: read it, then reading->done(...)
//     else co_await bodies.wait(key, deadline, stop)               somebody reads it: look again then
//
// Limits    a body lives as long as one who holds it, and counts against content_memory (ContentBudget) once
// Deadlock  whoever reads waits for a share of the memory and for the log, never for another body: it ends
// Threads   belongs to one shard. Outlives its bodies
class SharedBodies {
 public:
  using Key = std::pair<log::PartitionId, log::Offset>;  // of the first chunk
  struct Body {
    Rope octets;
    std::uint32_t crc = 0;  // of the octets
    ContentBudget::Share memory;
  };
  using BodyPtr = std::shared_ptr<const Body>;

  // The right to read a body. Ends when it is done or destroyed; those who wait look again then.
  class Reading {
   public:
    Reading(SharedBodies& bodies, Key key) : bodies_(&bodies), key_(key) {}
    Reading(Reading&& other) noexcept
        : bodies_(std::exchange(other.bodies_, nullptr)), key_(other.key_) {}
    Reading& operator=(Reading&&) = delete;
    ~Reading() {
      if (bodies_ != nullptr) bodies_->end(key_);
    }
    [[nodiscard]] BodyPtr done(Rope octets, ContentBudget::Share memory);

   private:
    SharedBodies* bodies_;
    Key key_;
  };

  [[nodiscard]] BodyPtr find(Key key) const;
  // Nothing: somebody reads it.
  [[nodiscard]] std::optional<Reading> begin(Key key);
  // Until who reads it is done or gives up. False: the deadline has passed, or `stop` was requested.
  [[nodiscard]] async::Task<bool> wait(Key key, Instant deadline, async::StopSignal& stop);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::weak_ptr<const Body> body;
    bool reading = false;
    std::vector<async::Event*> waiting;
  };
  void end(Key key);
  void forget(Key key);

  std::map<Key, Entry> entries_;
};

}  // namespace godwit::sender
