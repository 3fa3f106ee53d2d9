#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/admin/ctl.h"
#include "cli/admin/io.h"
#include "cli/admin/senders.h"
#include "cli/admin/target.h"
#include "common/base/clock.h"

// `godwit ctl top`: what an operator wants to see at a glance, again and again.
namespace godwit::cli::admin {

// The cluster at one moment, as a process knows it. A part that was not answered says why.
struct TopView {
  Timestamp at;
  operate::NodeInfo info;       // of the process that was asked
  operate::QueueSummary queue;  // of all senders
  Missing not_counted;          // senders that `queue` is without
  std::vector<operate::NodeAnswer> nodes;
  std::map<std::string, std::int64_t> ends;  // of topics: records so far
  std::vector<commands::Listed> commands;    // in force
  std::vector<std::string> problems;
};

// The screen: at most `lines` lines, each with a line break. Rates are between `before` and `now`; without `before`
// there are none. Pure.
[[nodiscard]] std::string top_screen(const TopView& now, const std::optional<TopView>& before,
                                     std::size_t lines);

struct TopOptions {
  std::chrono::milliseconds interval{2'000};
  bool json = false;
  // The output is a terminal of so many lines; nothing: it is none, and gets one table.
  std::optional<std::size_t> lines{};
  // How often the screen is drawn; nothing: until the process ends.
  std::optional<std::size_t> rounds{};
};
[[nodiscard]] int ctl_top(const TopOptions& options, const Target& target, const Clock& clock,
                          Io io);
// Of standard output; nothing: it is no terminal.
[[nodiscard]] std::optional<std::size_t> terminal_lines();

}  // namespace godwit::cli::admin
