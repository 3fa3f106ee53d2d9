#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/admin/types.h"
#include "common/base/result.h"
#include "common/commands/command.h"

// Queued mail of the whole cluster: each sender is asked for what it has. The process that `target` names says which
// there are; the others are asked at the admin address they gave, with the same token and certificates.
namespace godwit::cli::admin {

// Processes whose mail is not in an answer, or not all of it, and why: "mta2: 10.0.0.2:8026: nothing answers".
using Missing = std::vector<std::string>;

// A line of standard error for each.
void tell_of(const Missing& missing, Io io);

// The process that a target names, and the senders it knows. Connections are kept, so that asking again (a live screen)
// costs a question and no more.
//
// Errors     of that process; of another one: it is missing, and the others count
// Limits     senders are asked one after the other; another process that does not answer costs
//            `deadline` each time
// Threads    one
class Senders {
 public:
  [[nodiscard]] static Result<Senders> of(const Target& target,
                                          std::chrono::milliseconds deadline = kDeadline);
  static constexpr std::chrono::seconds kDeadline{10};

  // Who there is at this moment. `unknown` says why the others are not known; empty: they are.
  struct Roster {
    operate::NodeInfo self;
    std::vector<operate::NodeAnswer> nodes;  // of the cluster, `self` among them
    std::string unknown;
  };
  [[nodiscard]] Result<Roster> roster();

  // Asks each sender of the roster.
  using AskOne = std::function<Result<void>(operate::Client& sender)>;
  [[nodiscard]] Result<void> ask(const Roster& roster, Missing& missing, const AskOne& ask);
  [[nodiscard]] Result<operate::QueueSummary> queue(const Roster& roster,
                                                    const operate::QueueQuery& query,
                                                    Missing& missing);

  // The process that the target names.
  [[nodiscard]] operate::Client& here() { return here_; }

 private:
  Senders(Target target, operate::Client here, std::chrono::milliseconds deadline)
      : target_(std::move(target)), here_(std::move(here)), deadline_(deadline) {}
  operate::Client& there(const std::string& address);

  Target target_;
  operate::Client here_;
  std::chrono::milliseconds deadline_;
  std::map<std::string, operate::Client> there_;  // by admin address
};

// Of one question. Errors: of the process that `target` names.
[[nodiscard]] Result<operate::DeliveryList> deliveries_everywhere(const Target& target,
                                                                  const commands::Filter& filter,
                                                                  std::uint32_t rows_max,
                                                                  Missing& missing);
[[nodiscard]] Result<operate::QueueSummary> queue_everywhere(const Target& target,
                                                             const operate::QueueQuery& query,
                                                             Missing& missing);
// nullopt: nobody who answered has it.
[[nodiscard]] Result<std::optional<operate::DeliveryDetails>> delivery_anywhere(
    const Target& target, const std::string& id, Missing& missing);

}  // namespace godwit::cli::admin
