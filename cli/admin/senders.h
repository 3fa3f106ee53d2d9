#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/base/result.h"
#include "common/commands/command.h"

// Queued mail of the whole cluster: each sender is asked for what it has. The process that `target` names says which
// there are; the others are asked at the admin address they gave, with the same token and certificates.
namespace godwit::cli::admin {

// Processes whose mail is not in an answer, or not all of it, and why: "mta2: 10.0.0.2:8026: nothing answers".
using Missing = std::vector<std::string>;

// A line of standard error for each.
void tell_of(const Missing& missing, Io io);

// Errors: of the process that `target` names.
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
