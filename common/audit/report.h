#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"

// What an audit found. docs/audit.md explains each class to operators.
namespace godwit::audit {

// How a recipient can end. The numbers are those of godwit.v1.EventType.
enum class Ending : std::uint8_t {
  kDelivered = 4,
  kBounced = 5,
  kExpired = 6,
  kSuppressed = 7,
  kCancelled = 8,
};
[[nodiscard]] std::string_view ending_name(Ending ending);

// Where a recipient that has not ended was found.
enum class Stage : std::uint8_t {
  kUnrouted = 1,  // in an accepted record the router has not finished
  kOutbound = 2,  // in an outbound record the sender has not finished
  kParked = 3,    // in `retries`
};

struct Exception {
  enum class Kind : std::uint8_t { kMissing, kDoubled };
  struct Seen {
    Ending ending{};
    std::uint32_t attempt = 0;
    auto operator<=>(const Seen&) const = default;
  };
  Kind kind{};
  RecipientId recipient;
  std::vector<Seen> endings;  // of a doubled one: each once
  bool operator==(const Exception&) const = default;
};

// Counts are recipients, unless they say records. Of the accepted recipients each is in exactly one
// of: delivered .. cancelled, pending_*, held, missing, doubled.
struct Report {
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::uint64_t bounced = 0;
  std::uint64_t expired = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t pending_unrouted = 0;
  std::uint64_t pending_outbound = 0;
  std::uint64_t pending_parked = 0;
  std::uint64_t held = 0;
  std::uint64_t missing = 0;
  std::uint64_t doubled = 0;           // accepted ones and those outside the window
  std::uint64_t doubled_outside = 0;   // of them: those outside
  std::uint64_t repeated_records = 0;  // the same ending written again: not an exception
  std::uint64_t late_bounces = 0;      // records: DSNs after `delivered`
  std::uint64_t outside =
      0;  // known from events or queues only: their acceptance is no longer retained
  std::uint64_t ended_and_queued =
      0;  // ended, and still in a queue; of a live process: between two commits
  std::uint64_t unreadable_records = 0;
  std::vector<Exception> exceptions;  // in order of recipient id, at most exceptions_max
  std::uint32_t passes =
      1;  // over the log; a live one is read again before an exception is reported
  std::uint64_t duration_ms = 0;

  // The answer: every accepted recipient ended at most once, and none vanished.
  [[nodiscard]] bool clean() const { return missing == 0 && doubled == 0; }
  [[nodiscard]] std::uint64_t exceptions_total() const { return missing + doubled; }
  bool operator==(const Report&) const = default;
};

// For people: a table, then the exceptions and what to do. Ends with a line break.
[[nodiscard]] std::string to_table(const Report& report);
// One JSON object with a field for each count, `clean`, and `exceptions`. Ends with a line break.
[[nodiscard]] std::string to_json(const Report& report);

}  // namespace godwit::audit
