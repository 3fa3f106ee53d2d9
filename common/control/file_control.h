#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/config/node.h"
#include "common/control/snapshot.h"

namespace godwit::control {

// What parsing a control file gives: a snapshot only where there are no problems.
struct ParsedControl {
  std::shared_ptr<Snapshot> snapshot;  // indexed; null when problems is not empty
  config::Problems problems;
  config::Problems notices;  // keys of the contract that have no effect yet: one log line each
};

// Reads the YAML of docs/control.md.
//
// Input     the text, and the name of its file: shown in problems; relative paths inside are relative to its directory
// Output    the snapshot with the defaults (tenant, pool and source `default`) added, or all problems at once, each
//           with its line and column
// Limits    as config::parse_yaml; the files it names (keys) are not opened here
// Threads   pure
[[nodiscard]] ParsedControl parse_control(std::string_view yaml, const std::filesystem::path& file);

// A snapshot with nothing but the defaults: what an installation without a control file has.
[[nodiscard]] SnapshotPtr default_snapshot();

// The control data of `control.mode: file`: the file is the truth.
//
// Threads   current() from any thread, wait-free for readers but for one reference count; reload()
//           from any, one at a time, blocks on the file.
class FileControl final : public View {
 public:
  // Reads the file for the first time. Errors: kUnreadable, kBadFile.
  [[nodiscard]] static Result<std::unique_ptr<FileControl>> load(std::filesystem::path file);
  // Without a file: the defaults; reload() does nothing.
  [[nodiscard]] static std::unique_ptr<FileControl> defaults();

  [[nodiscard]] SnapshotPtr current() const override;

  // Reads the file again. The new snapshot is current when this returns; on an error the old one
  // stays. Snapshot::version counts up by one with each success.
  [[nodiscard]] Result<void> reload();

  // Of the last successful load.
  [[nodiscard]] config::Problems notices() const;

 private:
  explicit FileControl(std::filesystem::path file) : file_(std::move(file)) {}

  std::filesystem::path file_;
  std::mutex reload_;
  mutable std::mutex notices_lock_;  // of notices_
  config::Problems notices_;
  std::atomic<std::shared_ptr<const Snapshot>> current_;
};

}  // namespace godwit::control
