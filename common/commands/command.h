#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/result.h"

namespace godwit::v1 {
class Command;
class CommandFilter;
}  // namespace godwit::v1

// What operators order about queued mail, and whether a delivery is meant: the records of the table `commands`
// (proto/godwit/v1/command.proto) as values.
//
// Errors    decoding: kBadCommand; a record of a higher version is one
// Threads   pure
namespace godwit::commands {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kReasonBytesMax = 1000;
inline constexpr std::size_t kNameBytesMax = 1000;  // of a filter's value

using CommandId = Name<struct CommandIdTag>;
// 20 hexadecimal digits that sort by time.
[[nodiscard]] CommandId make_id(Timestamp now, Random& random);

enum class Kind : std::uint8_t { kSuspend = 1, kCancel = 2, kRetry = 3 };
[[nodiscard]] std::string_view kind_name(Kind kind);  // "suspend"

// What is known of a delivery when it is asked whether a command means it. Borrows everything.
struct Subject {
  std::string_view tenant;
  std::string_view domain;
  std::string_view site;
  std::string_view pool;
  bool urgent = false;
  MessageId message;
  Timestamp accepted;
  std::vector<std::string_view> tags;
};

// Which deliveries: those that fit every key that is set.
struct Filter {
  enum class Class : std::uint8_t { kAny = 0, kBulk = 1, kUrgent = 2 };

  std::string tenant;
  std::string tag;
  std::string domain;
  std::string site;
  std::string pool;
  Class of_class = Class::kAny;
  std::optional<MessageId> message;
  std::string source;

  // No key is set: it would mean everything.
  [[nodiscard]] bool empty() const { return *this == Filter{}; }
  // But for `source`: a delivery has one only while it is attempted.
  [[nodiscard]] bool matches(const Subject& subject) const;
  [[nodiscard]] std::string to_text() const;  // "tenant=acme domain=example.net"
  bool operator==(const Filter&) const = default;
};

struct Command {
  CommandId id;
  Kind kind = Kind::kSuspend;
  Filter filter;
  std::string reason;
  std::string actor;
  std::string node;
  Timestamp created;
  std::optional<Timestamp> until;
  Timestamp accepted_until;  // of cancel and retry
  std::optional<Timestamp> undone;
  std::string undone_by;
  std::string undone_reason;

  [[nodiscard]] bool in_force(Timestamp now) const { return !undone && (!until || now < *until); }
  // While it is in force. Of one with a source: whether it may not leave from there.
  [[nodiscard]] bool means(const Subject& subject) const {
    return (kind == Kind::kSuspend || subject.accepted <= accepted_until) &&
           filter.matches(subject);
  }
  // "in force", "undone", "ended".
  [[nodiscard]] std::string_view state(Timestamp now) const;
  bool operator==(const Command&) const = default;
};

// What became of a command in one partition.
struct Progress {
  std::uint64_t deliveries = 0;
  std::uint64_t recipients = 0;
  bool complete = false;
  Timestamp updated;
  std::string node;

  bool operator==(const Progress&) const = default;
};

// The keys of the table.
inline constexpr std::string_view kCommandPrefix = "c/";
inline constexpr std::string_view kProgressPrefix = "p/";
[[nodiscard]] std::string command_key(const CommandId& id);
[[nodiscard]] std::string progress_key(const CommandId& id, std::uint32_t partition);
struct ProgressOf {
  CommandId id;
  std::uint32_t partition = 0;
};
[[nodiscard]] std::optional<ProgressOf> parse_progress_key(std::string_view key);

// As records; their filters have one key at least.
void to_record(const Filter& filter, v1::CommandFilter& record);
[[nodiscard]] Result<Filter> from_record(const v1::CommandFilter& record);  // an empty one is taken
void to_record(const Command& command, v1::Command& record);
[[nodiscard]] Result<Command> from_record(const v1::Command& record);
[[nodiscard]] std::string encode(const Command& command);
[[nodiscard]] std::string encode(const Progress& progress);
[[nodiscard]] Result<Command> decode_command(std::string_view value);
[[nodiscard]] Result<Progress> decode_progress(std::string_view value);

}  // namespace godwit::commands
