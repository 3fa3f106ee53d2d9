#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/observe/definition.h"

namespace godwit::cli::metrics {

using Definitions = std::span<const observe::Definition* const>;

// The page docs/metrics.md: a table for each part, in the order of parts() (those it does not know come last), and
// one of the labels.
[[nodiscard]] std::string as_markdown(Definitions definitions);

// [{"name", "type", "help", "labels": [...], "bounds": [...]}, ...], a line each.
[[nodiscard]] std::string as_json(Definitions definitions);

// The part of a name, "ingress" of "godwit_ingress_sessions", and what it is. Parts that count nothing are not told.
struct Part {
  std::string_view name;
  std::string_view title;
};
[[nodiscard]] std::span<const Part> parts();
[[nodiscard]] std::string_view part_of(std::string_view metric);

// What a label's values are; empty: nobody has said.
[[nodiscard]] std::string_view meaning_of_label(std::string_view label);

}  // namespace godwit::cli::metrics
