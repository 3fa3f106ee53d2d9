#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/base/clock.h"

// What travels between an operator's command and a process: plain values of
// proto/godwit/admin/v1/admin.proto.
namespace godwit::admin {

struct RoleInfo {
  std::string name;
  std::string problem;  // why it is not ready; empty: it is
};

struct NodeInfo {
  std::string node;
  std::string version;
  std::string cluster;
  std::vector<RoleInfo> roles;
  Timestamp started;
  Timestamp now;
  bool draining = false;
  std::uint32_t pid = 0;
  std::vector<std::string> addresses;  // "smtp relay 127.0.0.1:2525"
};

enum class QueueBy : std::uint8_t { kLane = 0, kDomain = 1, kTenant = 2, kSite = 3, kPool = 4 };

struct QueueQuery {
  QueueBy by = QueueBy::kLane;
  std::uint32_t rows_max = 50;
};

// Counts are recipients.
struct QueueCounts {
  std::uint64_t waiting = 0;    // not routed, or routed and not yet tried
  std::uint64_t active = 0;     // in an attempt now
  std::uint64_t parked = 0;     // deferred, scheduled or throttled: waiting for a due time
  std::uint64_t suspended = 0;  // set aside by a command when it was due
  std::uint64_t bytes = 0;      // of content, counted once a delivery
  Timestamp oldest_accepted;    // epoch: nothing is there
  Timestamp next_due;           // epoch: nothing is parked

  [[nodiscard]] std::uint64_t total() const { return waiting + active + parked + suspended; }
  // Adds `other`: sums, the older of the oldest, the sooner of the next.
  void add(const QueueCounts& other);
  bool operator==(const QueueCounts&) const = default;
};

struct QueueRow {
  std::string name;  // "site pool", domain, tenant, site or pool
  QueueCounts counts;
  std::string suspended;  // why it stands still; empty: it does not
};

struct QueueSummary {
  QueueCounts counts;
  std::vector<QueueRow> rows;    // the fullest first
  std::uint64_t rows_total = 0;  // before rows_max
};

// One summary from those of several roles: rows of equal names are added, the fullest `rows_max`
// stay.
[[nodiscard]] QueueSummary merge(const std::vector<QueueSummary>& parts, std::uint32_t rows_max);

// What a control file changes, or changed (control::Applied, as text).
struct ControlAnswer {
  struct Change {
    std::string what;  // added, changed, removed
    std::string kind;
    std::string name;
    std::vector<std::string> details;
  };
  std::vector<Change> changes;
  std::vector<std::string> left;  // "pool bulk": not in the file; pruning would remove it
  std::uint64_t version = 0;
  std::string batch;  // empty: nothing was written
  std::vector<std::string> notices;
};

struct ControlFileAnswer {
  std::string yaml;
  std::uint64_t version = 0;
  bool writable = false;
};

// One process of the cluster, as another one knows it (NodeRow).
struct NodeAnswer {
  std::string node;
  std::string software;
  std::vector<RoleInfo> roles;
  std::string admin;
  std::string observe;
  Timestamp started;
  Timestamp heartbeat;
  std::uint32_t pid = 0;
  std::string state;  // up, draining, silent, ended
  struct Owned {
    std::string group;
    std::vector<std::uint32_t> partitions;
  };
  std::vector<Owned> owned;
};

}  // namespace godwit::admin
