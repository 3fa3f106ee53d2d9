#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/node.h"
#include "common/control/objects.h"
#include "common/control/snapshot.h"

namespace godwit::control {

// What somebody wants the control data to be: a control file.
struct ChangeRequest {
  std::string file;  // named in problems; relative paths inside are relative to its directory
  std::string text;
  bool prune =
      false;  // tenants, sources and pools that the file does not have are removed, where it has the kind
  std::string actor;  // who asks, for the batch and the audit
};

// What becomes of one object.
struct ObjectChange {
  enum class What : std::uint8_t { kAdded = 1, kChanged = 2, kRemoved = 3 };
  What what{};
  ObjectName object;
  std::vector<std::string> details;  // "pool: default -> bulk"; never a secret
  // "changed tenant acme: pool: default -> bulk"
  [[nodiscard]] std::string to_text() const;
};

// What a request comes to.
struct ChangePlan {
  std::vector<ObjectChange> changes;  // empty: nothing to change
  std::vector<ObjectName> left;       // not in the file; with `prune` they would go
  config::Problems notices;           // keys without effect yet
};

struct Applied {
  ChangePlan plan;
  std::uint64_t version = 0;  // in force on this process when apply() returned
  std::string batch;          // empty: nothing was written
  std::vector<std::string> warnings;
};

// Where control data is kept and changed: a file (FileControl) or the table `control` (LogControl).
//
// Threads   any; diff, apply, to_yaml and reload block (the table, argon2id for each new plain password): never
//           call them on a mail loop. current() is View's
class Authority : public View {
 public:
  // Errors: kBadFile (every problem, with its place), kNotReady.
  [[nodiscard]] virtual Result<ChangePlan> diff(const ChangeRequest& request) = 0;
  // Makes it so. `announce` is told what will be written, before; its error stops everything.
  // When this returns, the change is durable and in force in this process; elsewhere as soon as they have read it.
  // Applying the same again changes nothing. Errors: as diff(), and kReadOnly, kUnfinished, those of the log.
  using Announce = std::function<Result<void>(const ChangePlan& plan, std::string_view batch)>;
  [[nodiscard]] virtual Result<Applied> apply(const ChangeRequest& request,
                                              const Announce& announce) = 0;
  // What is in force, as a control file; passwords and keys as hashes. Errors: kNotReady.
  [[nodiscard]] virtual Result<std::string> to_yaml() = 0;
  [[nodiscard]] virtual bool writable() const = 0;
  // Reads the file again, where a file is the truth. Errors: kUnreadable, kBadFile; what was in force stays.
  [[nodiscard]] virtual Result<void> reload() = 0;
  // Why what current() gives is not to be used yet; empty: it is.
  [[nodiscard]] virtual std::string problem() const = 0;
};

}  // namespace godwit::control
