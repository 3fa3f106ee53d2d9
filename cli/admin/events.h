#pragma once

#include <string>
#include <vector>

#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "common/base/clock.h"

namespace godwit::cli::admin {

struct EventsOptions {
  bool follow = false;
  bool json = false;
  std::string since;  // see parse_since(); empty: everything, or with follow only what comes
  std::vector<std::string> types;  // "delivered"
  std::string tenant;
  std::string message;
  std::string recipient;  // address or "@domain"
  std::string site;
};

// The query that options ask for. Errors: invalid_argument, context says which option and what would be right.
[[nodiscard]] Result<accounting::EventQuery> query_of(const EventsOptions& options, Timestamp now);

// `godwit events`: one line an event. Output: the exit status.
[[nodiscard]] int events(const EventsOptions& options, const Target& target, const Clock& clock,
                         Io io);

}  // namespace godwit::cli::admin
