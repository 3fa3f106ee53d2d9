#include "tests/durability/recycling.h"

#include <algorithm>
#include <string_view>

namespace godwit::durability {
namespace {

// docs/formats/segments.md, the first octets of a segment.
constexpr std::string_view kInUse = "GWSEG001";
constexpr std::string_view kFree = "GWFREE01";

}  // namespace

void Recycling::syncing(const std::string& path) {
  if (!path.ends_with(".segment")) return;
  const std::string mark = files_.beginning(path, kInUse.size());
  const std::lock_guard lock(mutex_);
  if (mark == kInUse) {
    in_use_.insert(path);
    recycled_.try_emplace(path, 0);
  } else if (mark == kFree && in_use_.erase(path) > 0) {
    ++recycled_[path];
  }
}

std::map<std::string, std::uint64_t> Recycling::by_file() const {
  std::map<std::string, std::uint64_t> there;
  const std::lock_guard lock(mutex_);
  for (const auto& [path, times] : recycled_) {
    if (files_.exists(path)) there.emplace(path, times);
  }
  return there;
}

std::uint64_t Recycling::least() const {
  const auto files = by_file();
  const auto least = std::ranges::min_element(
      files, [](const auto& a, const auto& b) { return a.second < b.second; });
  return least == files.end() ? 0 : least->second;
}

}  // namespace godwit::durability
