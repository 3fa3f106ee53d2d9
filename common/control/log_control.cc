#include "common/control/log_control.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <span>
#include <utility>

#include "common/control/change.h"
#include "common/control/control_file.h"
#include "common/control/errc.h"
#include "common/observe/log.h"

namespace godwit::control {
namespace {

constexpr observe::Logger kLog{"control"};
// Of one call to the log: a batch may be larger, its marker makes it whole.
constexpr std::size_t kWriteBytesMax = 1u << 20;
constexpr auto kWritePatience = std::chrono::seconds(60);
constexpr auto kPublishPatience = std::chrono::seconds(5);
constexpr auto kLookAgain =
    std::chrono::milliseconds(20);  // while the table is read for the first time

}  // namespace

Result<std::unique_ptr<LogControl>> LogControl::open(log::Log& log, const Clock& clock,
                                                     std::string node) {
  TRY(auto table, log.shared_table(log::Topic::kControl));
  return std::unique_ptr<LogControl>(new LogControl(std::move(table), clock, std::move(node)));
}

LogControl::LogControl(std::unique_ptr<log::SharedTable> table, const Clock& clock,
                       std::string node)
    : table_(std::move(table)),
      clock_(clock),
      node_(std::move(node)),
      current_(default_snapshot()) {
  table_->when_changed([this](std::span<const log::TableChange> changes) {
    // Rows without their marker change nothing.
    const bool marker = std::ranges::any_of(changes, [](const log::TableChange& change) {
      return change.key.starts_with(kBatchPrefix);
    });
    if (!marker) return;
    const std::lock_guard lock(mutex_);
    dirty_ = true;
    wake_.notify_one();
  });
  thread_ = std::thread([this] { run(); });
}

LogControl::~LogControl() {
  table_->when_changed(nullptr);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

std::string LogControl::problem() const {
  const std::lock_guard lock(mutex_);
  if (!read_problem_.empty()) return read_problem_;
  return ready_ ? std::string() : "the control data is being read";
}

void LogControl::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (ready_) {
      wake_.wait(lock, [this] { return dirty_ || stopping_; });
    } else {
      wake_.wait_for(lock, kLookAgain, [this] { return stopping_; });
    }
    if (stopping_) return;
    if (!ready_ && !table_->caught_up()) continue;
    dirty_ = false;
    lock.unlock();
    publish();
    lock.lock();
  }
}

void LogControl::publish() {
  auto state = read();
  std::string problem;
  if (!state) {
    problem = "the control data cannot be read: " + state.error().to_string();
    kLog.error("control data cannot be read", {{"error", state.error()}});
  } else {
    const SnapshotPtr before = current_.load();
    const std::uint64_t version = std::max(before->version, state->rows.version());
    if (!ready_ || version != before->version || state->objects != objects_) {
      for (const std::string& wrong : mend(state->content))
        kLog.error("control data that is not in force", {{"problem", wrong}});
      for (const std::string& wrong : state->rows.problems())
        kLog.error("control data that is not in force", {{"problem", wrong}});
      auto snapshot = make_snapshot(std::move(state->content));
      snapshot->version = version;
      current_ = std::move(snapshot);
      objects_ = std::move(state->objects);
      kLog.info("control data in force", {{"control_version", version}});
    }
  }
  const std::lock_guard lock(mutex_);
  ready_ = ready_ || problem.empty();
  read_problem_ = std::move(problem);
  ++rounds_;
  published_.notify_all();
}

Result<LogControl::State> LogControl::read() const {
  State state;
  TRY(state.rows, BatchTable::read(table_->local()));
  state.objects = state.rows.objects();
  std::vector<std::string> wrong;  // such objects are of no use to anybody; an apply removes them
  state.content = content_of(state.objects, wrong);
  return state;
}

Result<ChangePlan> LogControl::diff(const ChangeRequest& request) {
  if (const std::string why = problem(); !why.empty()) return fail(Errc::kNotReady, why);
  TRY(const State state, read());
  TRY(Change change, plan_change(state.content, state.objects, request, clock_.now()));
  return std::move(change.plan);
}

Result<Applied> LogControl::apply(const ChangeRequest& request, const Announce& announce) {
  const std::lock_guard lock(changing_);
  return apply_locked(request, announce);
}

Result<Applied> LogControl::apply_locked(const ChangeRequest& request, const Announce& announce) {
  if (const std::string why = problem(); !why.empty()) return fail(Errc::kNotReady, why);
  TRY(const State before, read());
  TRY(Change change, plan_change(before.content, before.objects, request, clock_.now()));
  Applied applied{.plan = std::move(change.plan), .version = current()->version};
  if (change.put.empty() && change.removed.empty()) return applied;

  auto batch = before.rows.write({.put = change.put,
                                  .removed = change.removed,
                                  .now = clock_.now(),
                                  .actor = request.actor,
                                  .node = node_},
                                 system_random());
  TRY_VOID(announce(applied.plan, batch.id.to_text()));
  TRY_VOID(write(std::move(batch.changes)));
  wait_until_in_force(batch.id);
  applied.batch = batch.id.to_text();
  applied.version = current()->version;
  // Somebody else may have changed at the same moment what this change leans on.
  if (auto after = read()) applied.warnings = mend(after->content);
  clean();
  return applied;
}

// In pieces that the log takes, one after the other: the marker, which is last, makes them count.
Result<void> LogControl::write(std::vector<log::TableChange> changes) {
  std::size_t at = 0;
  while (at < changes.size()) {
    std::vector<log::TableChange> piece;
    std::size_t bytes = 0;
    while (at < changes.size()) {
      bytes += log::bytes_in_batch(changes[at]);
      if (!piece.empty() && bytes > kWriteBytesMax) break;
      piece.push_back(std::move(changes[at++]));
    }
    auto promise = std::make_shared<std::promise<Result<log::Written>>>();
    auto done = promise->get_future();
    table_->change(std::move(piece), [promise](Result<log::Written> written) {
      promise->set_value(std::move(written));
    });
    const bool last = at == changes.size();
    const std::string advice = "`godwit ctl diff` shows whether it is";
    if (done.wait_for(kWritePatience) != std::future_status::ready)
      return fail(Errc::kUnfinished, "the log has not answered; " + advice);
    if (auto written = done.get(); !written) {
      if (last && written.error().code == log::Errc::kUnknown)
        return fail(Errc::kUnfinished, written.error().to_string() + "; " + advice);
      return fail(std::move(written).error());
    }
  }
  return {};
}

// The log has it, so the local table has it; the snapshot follows.
void LogControl::wait_until_in_force(const BatchId& batch) {
  std::unique_lock lock(mutex_);
  dirty_ = true;
  wake_.notify_one();
  // The round that is under way may have begun to read before.
  const std::uint64_t enough = rounds_ + 2;
  published_.wait_for(lock, kPublishPatience, [&] {
    return rounds_ >= enough || current_.load()->version >= batch.sequence;
  });
}

void LogControl::clean() {
  const auto rows = BatchTable::read(table_->local());
  if (!rows) return;
  std::vector<log::TableChange> garbage = rows->garbage(clock_.now());
  if (garbage.empty()) return;
  if (auto written = write(std::move(garbage)); !written)
    kLog.warning("superseded control data stays", {{"error", written.error()}});
}

Result<std::string> LogControl::to_yaml() {
  if (const std::string why = problem(); !why.empty()) return fail(Errc::kNotReady, why);
  TRY(const State state, read());
  return print_control(state.content);
}

Result<Applied> LogControl::seed(const std::filesystem::path& file, const Announce& announce) {
  TRY(std::string text, read_control_file(file));
  const ChangeRequest request{.file = file.string(),
                              .text = std::move(text),
                              .prune = false,
                              .actor = "control.mode: seed"};
  const std::lock_guard lock(changing_);
  TRY(const State state, read());
  if (state.rows.empty()) return apply_locked(request, announce);
  TRY(Change change, plan_change(state.content, state.objects, request, clock_.now()));
  return Applied{.plan = std::move(change.plan), .version = current()->version};
}

}  // namespace godwit::control
