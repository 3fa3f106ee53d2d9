#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/config/node.h"
#include "common/control/authority.h"
#include "common/control/control_file.h"
#include "common/control/snapshot.h"

namespace godwit::control {

// The control data of `control.mode: file`: the file is the truth.
//
// Threads   current() from any thread, wait-free for readers but for one reference count; reload()
//           from any, one at a time, blocks on the file.
class FileControl final : public Authority {
 public:
  // Reads the file for the first time. Errors: kUnreadable, kBadFile.
  [[nodiscard]] static Result<std::unique_ptr<FileControl>> load(std::filesystem::path file);
  // Without a file: the defaults; reload() does nothing.
  [[nodiscard]] static std::unique_ptr<FileControl> defaults();

  [[nodiscard]] SnapshotPtr current() const override;

  // Reads the file again. The new snapshot is current when this returns; on an error the old one
  // stays. Snapshot::version counts up by one with each success.
  [[nodiscard]] Result<void> reload() override;
  [[nodiscard]] Result<ChangePlan> diff(const ChangeRequest& request) override;
  // kReadOnly, always.
  [[nodiscard]] Result<Applied> apply(const ChangeRequest& request,
                                      const Announce& announce) override;
  [[nodiscard]] Result<std::string> to_yaml() override;
  [[nodiscard]] bool writable() const override { return false; }
  [[nodiscard]] std::string problem() const override { return {}; }

  // Of the last successful load.
  [[nodiscard]] config::Problems notices() const;

 private:
  [[nodiscard]] Content content() const;
  explicit FileControl(std::filesystem::path file) : file_(std::move(file)) {}

  std::filesystem::path file_;
  std::mutex reload_;
  mutable std::mutex loaded_lock_;  // of the two below
  config::Problems notices_;
  Content content_;  // as written
  std::atomic<std::shared_ptr<const Snapshot>> current_;
};

}  // namespace godwit::control
