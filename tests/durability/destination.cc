#include "tests/durability/destination.h"

#include <array>
#include <utility>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "tests/durability/digest.h"

namespace godwit::durability {
namespace {

using sender::FakePeer;

constexpr std::array kFates{Fate::kTaken, Fate::kDeferred, Fate::kRefused, Fate::kNever};

std::string path_of(const std::string& line) {
  const std::size_t open = line.find('<');
  return line.substr(open + 1, line.find('>') - open - 1);
}

}  // namespace

std::string_view fate_name(Fate fate) {
  switch (fate) {
    case Fate::kTaken: return "taken";
    case Fate::kDeferred: return "deferred";
    case Fate::kRefused: return "refused";
    case Fate::kNever: return "never";
  }
  return {};
}

Fate fate_of(std::string_view address) {
  const std::string_view word = address.substr(0, address.find('.'));
  for (const Fate fate : kFates) {
    if (fate_name(fate) == word) return fate;
  }
  CHECK(false, "{} is nobody's address", address);
  return {};
}

bool is_prompt(std::string_view address) {
  const std::size_t first = address.find('.');
  return address.substr(first + 1).starts_with(kPromptly);
}

std::unique_ptr<FakePeer> Destination::open(PowerCut& power) {
  {
    const std::lock_guard lock(mutex_);
    ++life_;
    transactions_.clear();
  }
  return std::make_unique<FakePeer>(
      [this, &power](FakePeer::Stage stage, const std::string& argument, int connection) {
        if (power.gone()) return std::string(FakePeer::kClose);
        switch (stage) {
          case FakePeer::Stage::kMail: {
            const std::lock_guard lock(mutex_);
            transactions_[connection].clear();
            return std::string();
          }
          case FakePeer::Stage::kRcpt: return recipient(argument, connection);
          case FakePeer::Stage::kDot:
            // Ours before the client can hear of it; and perhaps it never does.
            final_dot(connection, !matches_digest(argument));
            power.reached(PowerCut::Moment::kFinalDot);
            return std::string(power.gone() ? FakePeer::kClose : "");
          default: return std::string();
        }
      });
}

std::string Destination::recipient(const std::string& line, int connection) {
  const std::string address = path_of(line);
  const std::lock_guard lock(mutex_);
  switch (fate_of(address)) {
    case Fate::kRefused: return "550 5.1.1 No such user";
    case Fate::kDeferred:
      if (deferrals_[address] > static_cast<int>(crc32c(address) % 2)) break;
      ++deferrals_[address];
      ++deferred_total_;
      return "450 4.2.0 Later";
    case Fate::kNever: ++deferred_total_; return "450 4.2.2 Still full";
    case Fate::kTaken: break;
  }
  transactions_[connection].push_back(address);
  return {};
}

void Destination::final_dot(int connection, bool spoiled) {
  const std::lock_guard lock(mutex_);
  for (const std::string& address : std::exchange(transactions_[connection], {})) {
    if (spoiled) spoiled_.push_back(address);
    std::vector<int>& lives = taken_[address];
    lives.push_back(life_);
    if (lives.size() == 1 && is_prompt(address)) ++prompt_total_;
  }
  more_.notify_all();
}

std::map<std::string, std::vector<int>> Destination::taken() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}

std::size_t Destination::prompt_total() const {
  const std::lock_guard lock(mutex_);
  return prompt_total_;
}

std::size_t Destination::deferred_total() const {
  const std::lock_guard lock(mutex_);
  return deferred_total_;
}

std::vector<std::string> Destination::spoiled() const {
  const std::lock_guard lock(mutex_);
  return spoiled_;
}

void Destination::wait_prompt(std::size_t total, std::chrono::milliseconds bound) const {
  std::unique_lock lock(mutex_);
  more_.wait_for(lock, bound, [&] { return prompt_total_ >= total; });
}

}  // namespace godwit::durability
