#include "common/commands/command_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <span>

#include "common/commands/errc.h"
#include "common/observe/log.h"

namespace godwit::commands {
namespace {

constexpr observe::Logger kLog{"commands"};
constexpr auto kWritePatience = std::chrono::seconds(20);
constexpr auto kPublishPatience = std::chrono::seconds(5);
constexpr auto kLookAgain = std::chrono::milliseconds(20);  // while it is read for the first time
constexpr auto kCountsEvery = std::chrono::seconds(1);

Rope to_rope(const std::string& octets) {
  return Rope(Bytes::copy_of(octets));
}

// One past every key with that prefix.
std::string behind(std::string_view prefix) {
  std::string end(prefix);
  ++end.back();
  return end;
}

bool is_over(const Command& one, Timestamp now) {
  return !one.in_force(now);
}

}  // namespace

Result<std::unique_ptr<CommandBook>> CommandBook::open(log::Log& log, const Clock& clock,
                                                       std::string node) {
  TRY(auto table, log.shared_table(log::Topic::kCommands));
  return std::unique_ptr<CommandBook>(new CommandBook(
      std::move(table), log.partitions(log::Topic::kOutbound), clock, std::move(node)));
}

CommandBook::CommandBook(std::unique_ptr<log::SharedTable> table, log::PartitionId partitions,
                         const Clock& clock, std::string node)
    : table_(std::move(table)),
      partitions_(partitions),
      clock_(clock),
      node_(std::move(node)),
      current_(std::make_shared<const CommandSet>()) {
  table_->when_changed([this](std::span<const log::TableChange> changes) {
    const bool command = std::ranges::any_of(changes, [](const log::TableChange& change) {
      return change.key.starts_with(kCommandPrefix);
    });
    if (!command) return;
    const std::lock_guard lock(mutex_);
    dirty_ = true;
    wake_.notify_one();
  });
  thread_ = std::thread([this] { run(); });
}

CommandBook::~CommandBook() {
  table_->when_changed(nullptr);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

std::string CommandBook::problem() const {
  if (version_ > 0) return {};
  const std::lock_guard lock(mutex_);
  return read_problem_.empty() ? "the commands are being read" : read_problem_;
}

void CommandBook::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, version_ == 0 ? Duration(kLookAgain) : Duration(kCountsEvery),
                   [this] { return stopping_ || (dirty_ && version_ > 0); });
    if (version_ == 0 && !table_->caught_up()) continue;
    const bool dirty = std::exchange(dirty_, false);
    lock.unlock();
    if (dirty) publish();
    write_counts();
    lock.lock();
  }
}

void CommandBook::publish() {
  auto commands = read();
  auto progress = read_progress();
  std::string problem;
  if (!commands || !progress) {
    const Error& error = commands ? progress.error() : commands.error();
    problem = "the commands cannot be read: " + error.to_string();
    kLog.error("commands cannot be read", {{"error", error}});
  } else if (version_ == 0 || *commands != commands_) {
    std::set<Place> done;
    for (const auto& [place, of] : *progress) {
      if (of.complete) done.insert(place);
    }
    current_ = std::make_shared<const CommandSet>(*commands, std::move(done));
    commands_ = *std::move(commands);
    ++version_;
    kLog.info("commands in force", {{"commands", current_.load()->all().size()}});
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(counts_, [this](const auto& entry) {
    return !std::ranges::binary_search(commands_, entry.first.first, {}, &Command::id);
  });
  dirty_ = dirty_ || !problem.empty();
  read_problem_ = std::move(problem);
  ++rounds_;
  published_.notify_all();
}

Result<std::vector<Command>> CommandBook::read() const {
  std::vector<Command> commands;
  TRY_VOID(table_->local().scan(
      kCommandPrefix, behind(kCommandPrefix), [&](std::string_view key, std::string_view value) {
        auto command = decode_command(value);
        if (command && command_key(command->id) == key) {
          commands.push_back(*std::move(command));
        } else {
          kLog.error("a command that is not in force",
                     {{"key", key},
                      {"problem", command ? "under another id" : command.error().to_string()}});
        }
        return true;
      }));
  return commands;
}

Result<std::map<CommandBook::Place, Progress>> CommandBook::read_progress() const {
  std::map<Place, Progress> found;
  TRY_VOID(table_->local().scan(kProgressPrefix, behind(kProgressPrefix),
                                [&](std::string_view key, std::string_view value) {
                                  const auto of = parse_progress_key(key);
                                  const auto progress = decode_progress(value);
                                  if (of && progress) found[{of->id, of->partition}] = *progress;
                                  return true;
                                }));
  return found;
}

void CommandBook::report(const CommandId& id, std::uint32_t partition, const Touched& touched) {
  const std::lock_guard lock(mutex_);
  const auto [at, added] = counts_.try_emplace({id, partition});
  Count& count = at->second;
  if (added) {
    const auto row = table_->local().get(progress_key(id, partition));
    if (row && *row) {
      if (auto before = decode_progress(**row)) count.progress = *std::move(before);
    }
  }
  count.progress.deliveries += touched.deliveries;
  count.progress.recipients += touched.recipients;
  count.progress.complete = count.progress.complete || touched.complete;
  count.changed = true;
}

void CommandBook::owned(std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  std::erase_if(counts_, [partition](const auto& entry) {
    return entry.first.second == partition && !entry.second.changed;
  });
}

// What the log does not take now is written later.
void CommandBook::write_counts() {
  std::vector<log::TableChange> changes;
  std::vector<Place> places;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [place, count] : counts_) {
      if (!std::exchange(count.changed, false)) continue;
      count.progress.updated = clock_.now();
      count.progress.node = node_;
      changes.push_back({{log::Topic::kCommands, 0},
                         progress_key(place.first, place.second),
                         to_rope(encode(count.progress))});
      places.push_back(place);
    }
  }
  if (changes.empty()) return;
  if (const auto written = write(std::move(changes)); !written) {
    kLog.warning("progress of commands is not written", {{"error", written.error()}});
    const std::lock_guard lock(mutex_);
    for (const Place& place : places) counts_[place].changed = true;
  }
}

Result<void> CommandBook::write(std::vector<log::TableChange> changes) {
  auto promise = std::make_shared<std::promise<Result<log::Written>>>();
  auto done = promise->get_future();
  table_->change(std::move(changes), [promise](Result<log::Written> written) {
    promise->set_value(std::move(written));
  });
  const std::string advice = "`godwit ctl commands list` shows whether it is";
  if (done.wait_for(kWritePatience) != std::future_status::ready)
    return fail(Errc::kUnfinished, "the log has not answered; " + advice);
  if (auto written = done.get(); !written) {
    if (written.error().code == log::Errc::kUnknown)
      return fail(Errc::kUnfinished, written.error().to_string() + "; " + advice);
    return fail(std::move(written).error());
  }
  return {};
}

log::TableChange CommandBook::put(const Command& command) const {
  return {{log::Topic::kCommands, 0}, command_key(command.id), to_rope(encode(command))};
}

Result<Command> CommandBook::check(const Order& order) const {
  return make_command(order, node_, clock_.now(), system_random());
}

Result<Command> CommandBook::issue(const Order& order) {
  if (const std::string why = problem(); !why.empty()) return fail(Errc::kNotReady, why);
  const std::lock_guard lock(changing_);
  const Timestamp now = clock_.now();
  TRY(Command command, make_command(order, node_, now, system_random()));
  TRY(const std::vector<Command> before, read());
  const auto in_force =
      std::ranges::count_if(before, [now](const Command& one) { return one.in_force(now); });
  if (static_cast<std::size_t>(in_force) >= kInForceMax)
    return fail(Errc::kTooMany, fmt::format("{}; undo some of them", in_force));
  TRY_VOID(write({put(command)}));
  wait_until_in_force();
  clean(before);
  return command;
}

Result<Command> CommandBook::undo(const CommandId& id, const std::string& actor,
                                  const std::string& reason) {
  if (const std::string why = problem(); !why.empty()) return fail(Errc::kNotReady, why);
  const std::lock_guard lock(changing_);
  const Timestamp now = clock_.now();
  TRY(const std::vector<Command> commands, read());
  const auto found = std::ranges::find(commands, id, &Command::id);
  if (found == commands.end()) return fail(Errc::kNoSuchCommand, id.text());
  if (is_over(*found, now))
    return fail(Errc::kOver, fmt::format("{} is {}", id.text(), found->state(now)));
  if (reason.empty()) return fail(Errc::kBadCommand, "a reason is missing");
  Command command = *found;
  command.undone = now;
  command.undone_by = actor;
  command.undone_reason = reason;
  TRY_VOID(write({put(command)}));
  wait_until_in_force();
  clean(commands);
  return command;
}

// The log has it, so the local table has it; the set follows.
void CommandBook::wait_until_in_force() {
  std::unique_lock lock(mutex_);
  // The round that is under way may have begun to read before.
  const std::uint64_t enough = rounds_ + 2;
  while (rounds_ < enough) {
    dirty_ = true;
    wake_.notify_one();
    const std::uint64_t before = rounds_;
    if (!published_.wait_for(lock, kPublishPatience, [&] { return rounds_ > before; })) return;
  }
}

void CommandBook::clean(const std::vector<Command>& commands) {
  const Timestamp now = clock_.now();
  std::vector<log::TableChange> changes;
  for (const Command& one : commands) {
    const Timestamp over = one.undone.value_or(one.until.value_or(Timestamp::max()));
    if (!is_over(one, now) || now - over < kKept) continue;
    changes.push_back({{log::Topic::kCommands, 0}, command_key(one.id), std::nullopt});
  }
  const auto progress = read_progress();
  if (!progress) return;
  for (const auto& [place, of] : *progress) {
    const bool known = std::ranges::any_of(commands, [&](const Command& one) {
      return one.id == place.first && std::ranges::none_of(changes, [&](const auto& change) {
               return change.key == command_key(one.id);
             });
    });
    if (known || now - of.updated < kKept) continue;
    changes.push_back(
        {{log::Topic::kCommands, 0}, progress_key(place.first, place.second), std::nullopt});
  }
  if (changes.empty()) return;
  if (const auto written = write(std::move(changes)); !written)
    kLog.warning("commands that are over stay in the table", {{"error", written.error()}});
}

Result<std::vector<Listed>> CommandBook::list() const {
  if (const std::string why = problem(); !why.empty()) return fail(Errc::kNotReady, why);
  TRY(std::vector<Command> commands, read());
  TRY(const auto progress, read_progress());
  std::ranges::sort(commands, std::greater<>{}, &Command::id);
  std::vector<Listed> listed;
  for (Command& command : commands) {
    Listed one{std::move(command), {}, 0};
    std::uint32_t complete = 0;
    for (auto at = progress.lower_bound({one.command.id, 0});
         at != progress.end() && at->first.first == one.command.id; ++at) {
      one.progress.deliveries += at->second.deliveries;
      one.progress.recipients += at->second.recipients;
      one.progress.updated = std::max(one.progress.updated, at->second.updated);
      complete += at->second.complete ? 1 : 0;
      ++one.partitions;
    }
    one.progress.complete = complete >= partitions_;
    listed.push_back(std::move(one));
  }
  return listed;
}

}  // namespace godwit::commands
