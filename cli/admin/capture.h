#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "cli/admin/io.h"

namespace godwit::cli::admin {

struct CaptureListOptions {
  bool json = false;  // one object a line
  std::size_t count_max = 20;
};
// `godwit capture list`: the newest mails. Output: the exit status.
[[nodiscard]] int capture_list(const CaptureListOptions& options,
                               const std::filesystem::path& directory, Io io);

struct CaptureShowOptions {
  std::string id;     // empty: the newest mail
  bool raw = false;   // the octets as they were delivered, nothing else
  bool json = false;  // what came with it
};
// `godwit capture show`. Output: the exit status; kAnswerIsNo when there is no such mail.
[[nodiscard]] int capture_show(const CaptureShowOptions& options,
                               const std::filesystem::path& directory, Io io);

}  // namespace godwit::cli::admin
