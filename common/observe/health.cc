#include "common/observe/health.h"

#include <fmt/format.h>

namespace godwit::observe {
namespace {

// The handles that are still held; forgets the others.
template <class T>
std::shared_ptr<T> registered(std::vector<std::weak_ptr<T>>& all, std::shared_ptr<T> handle) {
  std::erase_if(all, [](const std::weak_ptr<T>& other) { return other.expired(); });
  all.push_back(handle);
  return handle;
}

}  // namespace

void Health::Component::problem(std::string_view text) {
  const std::lock_guard lock(mutex_);
  problem_ = text;
}

std::string Health::Component::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

std::shared_ptr<Health::Component> Health::component(std::string_view name) {
  const std::lock_guard lock(mutex_);
  return registered(components_, std::shared_ptr<Component>(new Component(name)));
}

std::shared_ptr<Health::Heartbeat> Health::heartbeat(std::string_view name, Duration limit,
                                                     Instant now) {
  std::shared_ptr<Heartbeat> heartbeat(new Heartbeat(name, limit));
  heartbeat->beat(now);
  const std::lock_guard lock(mutex_);
  return registered(heartbeats_, std::move(heartbeat));
}

std::vector<Health::Trouble> Health::not_ready() const {
  std::vector<Trouble> troubles;
  if (draining_) troubles.push_back({"process", "draining"});
  const std::lock_guard lock(mutex_);
  for (const auto& weak : components_) {
    const auto component = weak.lock();
    if (!component) continue;
    if (std::string problem = component->problem(); !problem.empty()) {
      troubles.push_back({component->name(), std::move(problem)});
    }
  }
  return troubles;
}

std::vector<Health::Trouble> Health::not_live(Instant now) const {
  std::vector<Trouble> troubles;
  const std::lock_guard lock(mutex_);
  for (const auto& weak : heartbeats_) {
    const auto heartbeat = weak.lock();
    if (!heartbeat) continue;
    const Duration age = now - Instant(Duration(heartbeat->last_.load(std::memory_order_relaxed)));
    if (age > heartbeat->limit_) {
      troubles.push_back(
          {heartbeat->name_,
           fmt::format("no heartbeat for {} ms",
                       std::chrono::duration_cast<std::chrono::milliseconds>(age).count())});
    }
  }
  return troubles;
}

}  // namespace godwit::observe
