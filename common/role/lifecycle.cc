#include "common/role/lifecycle.h"

#include <utility>

#include "common/observe/log.h"

namespace godwit::role {
namespace {

constexpr observe::Logger kLog{"role"};

}  // namespace

Lifecycle::~Lifecycle() {
  end(Duration::zero());
}

void Lifecycle::add(std::unique_ptr<Role> role) {
  roles_.push_back(std::move(role));
}

Result<void> Lifecycle::start() {
  for (const std::unique_ptr<Role>& role : roles_) {
    ++started_;  // a role that fails to start is stopped like the others
    if (Result<void> result = role->start(); !result) {
      Error error = std::move(result).error().within(role->name());
      end(Duration::zero());
      return fail(std::move(error));
    }
    kLog.info("started", {{"role", role->name()}});
  }
  return {};
}

std::vector<NamedAddress> Lifecycle::addresses() const {
  std::vector<NamedAddress> all;
  for (const std::unique_ptr<Role>& role : roles_) {
    for (NamedAddress& address : role->addresses()) all.push_back(std::move(address));
  }
  return all;
}

std::vector<Lifecycle::Trouble> Lifecycle::troubles() const {
  std::vector<Trouble> troubles;
  for (const std::unique_ptr<Role>& role : roles_) {
    if (std::string problem = role->problem(); !problem.empty()) {
      troubles.push_back({std::string(role->name()), std::move(problem)});
    }
  }
  return troubles;
}

std::vector<Lifecycle::Trouble> Lifecycle::reload() {
  std::vector<Trouble> failures;
  for (const std::unique_ptr<Role>& role : roles_) {
    if (const Result<void> result = role->reload(); !result) {
      failures.push_back({std::string(role->name()), result.error().to_string()});
    }
  }
  return failures;
}

void Lifecycle::end(Duration bound) {
  const std::size_t started = std::exchange(started_, 0);
  if (bound > Duration::zero()) {
    const Instant deadline = clock_.instant() + bound;
    for (std::size_t i = started; i-- > 0;) {
      const Instant begun = clock_.instant();
      // What is left is shared by those that are left: a client that dawdles does not cost the sender its time.
      roles_[i]->drain(begun + (deadline - begun) / static_cast<Duration::rep>(i + 1));
      kLog.info("drained", {{"role", roles_[i]->name()}, {"took_ms", clock_.instant() - begun}});
    }
  }
  for (std::size_t i = started; i-- > 0;) roles_[i]->stop();
}

}  // namespace godwit::role
