#include "common/commands/command_set.h"

#include <algorithm>

namespace godwit::commands {

CommandSet::CommandSet(std::vector<Command> commands,
                       std::set<std::pair<CommandId, std::uint32_t>> done)
    : commands_(std::move(commands)), done_(std::move(done)) {
  std::erase_if(commands_, [](const Command& one) { return one.undone.has_value(); });
  std::ranges::sort(commands_, {}, &Command::id);
  any_source_ =
      std::ranges::any_of(commands_, [](const Command& one) { return !one.filter.source.empty(); });
}

const Command* CommandSet::verdict(const Subject& subject, Timestamp now) const {
  const Command* suspends = nullptr;
  for (const Command& one : commands_) {
    if (one.kind == Kind::kRetry || !one.filter.source.empty()) continue;
    if (one.kind == Kind::kSuspend && suspends != nullptr) continue;
    if (!one.in_force(now) || !one.means(subject)) continue;
    if (one.kind == Kind::kCancel) return &one;
    suspends = &one;
  }
  return suspends;
}

const Command* CommandSet::barred(const Subject& subject, std::string_view source,
                                  Timestamp now) const {
  if (!any_source_) return nullptr;
  const auto found = std::ranges::find_if(commands_, [&](const Command& one) {
    return one.filter.source == source && one.kind == Kind::kSuspend && one.in_force(now) &&
           one.means(subject);
  });
  return found == commands_.end() ? nullptr : &*found;
}

Timestamp CommandSet::next_end(Timestamp now) const {
  Timestamp next = Timestamp::max();
  for (const Command& one : commands_) {
    if (one.until && *one.until > now) next = std::min(next, *one.until);
  }
  return next;
}

std::size_t CommandSet::ended(Timestamp now) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(commands_, [now](const Command& one) { return !one.in_force(now); }));
}

namespace {

class None final : public View {
 public:
  [[nodiscard]] std::uint64_t version() const override { return 1; }
  [[nodiscard]] CommandSetPtr current() const override { return set_; }
  [[nodiscard]] std::string problem() const override { return {}; }
  void report(const CommandId&, std::uint32_t, const Touched&) override {}
  void owned(std::uint32_t) override {}

 private:
  const CommandSetPtr set_ = std::make_shared<const CommandSet>();
};

}  // namespace

View& no_commands() {
  static None none;
  return none;
}

}  // namespace godwit::commands
