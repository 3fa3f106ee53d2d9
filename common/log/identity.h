#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "common/base/result.h"
#include "common/log/types.h"
#include "common/store/file.h"

namespace godwit::log {

// What was decided when the log was created and never changes: a small text file, the last one created, so that
// it is there only when everything else is.
struct Identity {
  std::uint32_t segment_bytes = 0;
  PartitionId partitions = 0;
};

// nullopt: there is none, the log was never created. Errors: kCorrupt, kIo.
[[nodiscard]] Result<std::optional<Identity>> read_identity(store::FileSystem& files,
                                                            const std::filesystem::path& directory);
[[nodiscard]] Result<void> write_identity(store::FileSystem& files,
                                          const std::filesystem::path& directory,
                                          const Identity& identity);

// Where things are below data_dir/log.
struct Layout {
  explicit Layout(const std::filesystem::path& data_dir)
      : root(data_dir / "log"),
        segments(root / "segments"),
        archive(root / "archive"),
        tables(root / "tables"),
        lock(root / "lock") {}
  std::filesystem::path root;
  std::filesystem::path segments;
  std::filesystem::path archive;
  std::filesystem::path tables;
  std::filesystem::path lock;
};

}  // namespace godwit::log
