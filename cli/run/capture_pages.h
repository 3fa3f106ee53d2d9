#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/async/blocking_pool.h"
#include "common/capture/pages.h"
#include "common/http/routes.h"

namespace godwit::cli::run {

// The routes of `ingress.http.listen`: what this process is (/), and the captured mail to look at (/capture,
// /capture/ID, /capture/ID/raw).
//
// Borrows   the pool (the pages are read from the disk there)
// Threads   built before the server starts; `landing` is called on any shard and must not block
struct CapturePages {
  std::filesystem::path directory;
  std::string cluster;
  std::string version;
  std::function<std::vector<capture::LandingEntry>()> landing;
};
[[nodiscard]] std::shared_ptr<const http::Routes> capture_routes(async::BlockingPool& pool,
                                                                 CapturePages pages);

}  // namespace godwit::cli::run
