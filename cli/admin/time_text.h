#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

// Times as people write and read them at a terminal. Pure.
namespace godwit::cli::admin {

// "2026-11-22T19:10:44Z", "2026-11-22T19:10:44.5+01:00", "2026-11-22" (UTC), or an age: "90s", "20m", "1h30m", "5d".
// Source: RFC 3339; ages as durations in the configuration.
[[nodiscard]] std::optional<Timestamp> parse_since(std::string_view text, Timestamp now);

// The same, but a length of time is one ahead.
[[nodiscard]] std::optional<Timestamp> parse_until(std::string_view text, Timestamp now);

// "2026-11-22 19:10:44.123"; "-" for the epoch, which stands for no time.
[[nodiscard]] std::string time_text(Timestamp time);
// How long ago or how far ahead: "3m12s", "2d4h", "in 20m0s"; "-" for the epoch.
[[nodiscard]] std::string age_text(Timestamp time, Timestamp now);

}  // namespace godwit::cli::admin
