#include "cli/admin/ctl_top.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <string_view>
#include <thread>

#include "cli/admin/answer.h"
#include "cli/admin/table.h"
#include "cli/admin/time_text.h"

namespace godwit::cli::admin {
namespace {

constexpr auto kRight = Table::Align::kRight;
constexpr std::uint32_t kLanesMax = 50;
constexpr std::size_t kLinesMax = 1'000;
// ECMA-48: cursor home; erase to the end of the line; erase what is below.
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kEraseLine = "\x1b[K";
constexpr std::string_view kEraseBelow = "\x1b[J";

// A sender that does not answer in this time is not counted: the screen goes on.
constexpr std::chrono::seconds kSenderPatience{2};

// Errors: of the first question; without an answer to that there is nothing to show.
Result<TopView> look(Senders& senders, Timestamp now) {
  TopView view{.at = now};
  TRY(Senders::Roster roster, senders.roster());
  const auto take = [&view](auto result, auto& into, std::string_view what) {
    if (result) {
      into = *std::move(result);
    } else if (result.error().code != operate::Errc::kUnsupported) {
      view.problems.push_back(fmt::format("{}: {}", what, result.error().to_string()));
    }
  };
  take(senders.queue(roster, {.by = operate::QueueBy::kLane, .rows_max = kLanesMax},
                     view.not_counted),
       view.queue, "queue");
  operate::Client& here = senders.here();
  std::vector<operate::TopicRow> topics;
  take(here.topics(), topics, "topics");
  for (const operate::TopicRow& row : topics) view.ends[row.name] = row.end;
  take(here.command_list(), view.commands, "commands");
  std::erase_if(view.commands, [now](const auto& one) { return !one.command.in_force(now); });
  view.info = std::move(roster.self);
  view.nodes = std::move(roster.nodes);
  return view;
}

// A line for each role that does not serve, of the process that was asked and of those it knows.
std::string not_ready(const TopView& view) {
  std::string out;
  const auto add = [&out](std::string_view node, const operate::RoleInfo& role) {
    if (!role.problem.empty())
      out += fmt::format("{}: {} is not ready: {}\n", node, role.name, role.problem);
  };
  for (const operate::RoleInfo& role : view.info.roles) add(view.info.node, role);
  for (const operate::NodeAnswer& node : view.nodes) {
    const bool asked = node.node == view.info.node && node.started == view.info.started;
    if (asked || node.state == "ended") continue;
    for (const operate::RoleInfo& role : node.roles) add(node.node, role);
  }
  return out;
}

// Records a second of that topic and its urgent sister.
std::string rate(const TopView& now, const std::optional<TopView>& before, std::string_view topic) {
  if (!before || now.at <= before->at) return "-";
  const auto end = [topic](const TopView& view) {
    std::int64_t sum = 0;
    for (const auto& [name, records] : view.ends) {
      if (name == topic || name == std::string(topic) + ".urgent") sum += records;
    }
    return sum;
  };
  const double seconds = std::chrono::duration<double>(now.at - before->at).count();
  const auto records = std::max<std::int64_t>(end(now) - end(*before), 0);
  return fmt::format("{:.1f}/s", static_cast<double>(records) / seconds);
}

std::string lanes(const TopView& view) {
  Table table({{"LANE (SITE POOL)"},
               {"TOTAL", kRight},
               {"ACTIVE", kRight},
               {"PARKED", kRight},
               {"SUSPENDED", kRight},
               {"OLDEST", kRight},
               {"STANDS STILL"}});
  for (const operate::QueueRow& row : view.queue.rows) {
    table.add({row.name, std::to_string(row.counts.total()), std::to_string(row.counts.active),
               std::to_string(row.counts.parked), std::to_string(row.counts.suspended),
               age_text(row.counts.oldest_accepted, view.at), row.suspended});
  }
  return table.empty() ? "Nothing is queued.\n" : table.to_string();
}

std::string nodes(const TopView& view) {
  Table table({{"NODE"}, {"STATE"}, {"HEARTBEAT", kRight}, {"ROLES"}});
  for (const operate::NodeAnswer& node : view.nodes) {
    std::string roles;
    for (const operate::RoleInfo& role : node.roles)
      roles += (roles.empty() ? "" : " ") + role.name + (role.problem.empty() ? "" : "!");
    table.add({node.node, node.state, age_text(node.heartbeat, view.at), roles});
  }
  return table.empty() ? "" : table.to_string();
}

std::string orders(const TopView& view) {
  Table table({{"COMMAND"}, {"KIND"}, {"FILTER"}, {"DELIVERIES", kRight}, {"REASON"}});
  for (const commands::Listed& one : view.commands) {
    table.add({one.command.id.text(), std::string(commands::kind_name(one.command.kind)),
               one.command.filter.to_text(), std::to_string(one.progress.deliveries),
               one.command.reason});
  }
  return table.empty() ? "" : table.to_string();
}

// The first `lines` lines.
std::string_view cut(std::string_view text, std::size_t lines) {
  std::size_t end = 0;
  while (lines-- > 0 && end < text.size()) {
    const std::size_t next = text.find('\n', end);
    end = next == std::string_view::npos ? text.size() : next + 1;
  }
  return text.substr(0, end);
}

}  // namespace

std::string top_screen(const TopView& now, const std::optional<TopView>& before,
                       std::size_t lines) {
  const operate::QueueCounts& counts = now.queue.counts;
  std::string head = fmt::format("{} (cluster {})  {}  up {}{}\n", now.info.node, now.info.cluster,
                                 time_text(now.at), age_text(now.info.started, now.at),
                                 now.info.draining ? ", draining" : "");
  head += fmt::format("accepted {}  routed {}  events {}\n", rate(now, before, "accepted"),
                      rate(now, before, "outbound"), rate(now, before, "events"));
  head +=
      fmt::format("{} recipients: {} waiting, {} active, {} parked, {} suspended; {}; oldest {}\n",
                  counts.total(), counts.waiting, counts.active, counts.parked, counts.suspended,
                  bytes_text(counts.bytes), age_text(counts.oldest_accepted, now.at));
  head += not_ready(now);
  for (const std::string& one : now.not_counted) head += "not counted: " + one + '\n';
  for (const std::string& problem : now.problems) head += problem + '\n';
  std::string tail;
  for (const std::string& part : {orders(now), nodes(now)}) {
    if (!part.empty()) tail += '\n' + part;
  }
  // What is short goes whole, lanes have what is left, five lines at least.
  const auto height = [](std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
  };
  const std::size_t others = height(head) + height(tail) + 1;
  const std::size_t room = std::max<std::size_t>(lines > others ? lines - others : 0, 5);
  const std::string all = lanes(now);
  const std::string screen = head + '\n' + std::string(cut(all, room)) + tail;
  return std::string(cut(screen, lines));
}

int ctl_top(const TopOptions& options, const Target& target, const Clock& clock, Io io) {
  auto senders = Senders::of(target, kSenderPatience);
  if (!senders) return could_not(senders.error(), io);
  std::optional<TopView> before;
  for (std::size_t round = 0; !options.rounds || round < *options.rounds; ++round) {
    if (round > 0) std::this_thread::sleep_for(options.interval);
    auto view = look(*senders, clock.now());
    if (!view) return could_not(view.error(), io);
    if (!options.lines || options.json) {
      if (!options.json) {
        io.out << top_screen(*view, before, kLinesMax);
        return kDone;
      }
      const operate::QueueCounts& counts = view->queue.counts;
      return say({{"node", view->info.node},
                  {"recipients", counts.total()},
                  {"waiting", counts.waiting},
                  {"active", counts.active},
                  {"parked", counts.parked},
                  {"suspended_count", counts.suspended},
                  {"bytes", counts.bytes},
                  {"not_counted", view->not_counted},
                  {"nodes", view->nodes.size()},
                  {"commands", view->commands.size()},
                  {"problems", view->problems}},
                 io);
    }
    std::string screen(kHome);
    for (const char octet : top_screen(*view, before, *options.lines - 1)) {
      if (octet == '\n') screen += kEraseLine;
      screen += octet;
    }
    io.out << screen << kEraseBelow << std::flush;
    if (!io.out.good()) return kDone;
    before = *std::move(view);
  }
  return kDone;
}

std::optional<std::size_t> terminal_lines() {
  if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
  winsize size{};
  constexpr std::size_t kUsual = 24;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2) return kUsual;
  return size.ws_row;
}

}  // namespace godwit::cli::admin
