#include "common/control/rate.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "common/control/errc.h"

namespace godwit::control {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kCountMax = 1'000'000'000;
constexpr std::uint64_t kBurstMax = 1'000'000;

struct Unit {
  std::string_view name;
  milliseconds length;
};
// The first name of a length is the one that is written.
constexpr std::array kUnits = std::to_array<Unit>({
    {"s", milliseconds{1'000}},
    {"sec", milliseconds{1'000}},
    {"second", milliseconds{1'000}},
    {"m", milliseconds{60'000}},
    {"min", milliseconds{60'000}},
    {"minute", milliseconds{60'000}},
    {"h", milliseconds{3'600'000}},
    {"hour", milliseconds{3'600'000}},
    {"d", milliseconds{86'400'000}},
    {"day", milliseconds{86'400'000}},
});

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::optional<std::uint64_t> parse_count(std::string_view text, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > max)
    return std::nullopt;
  return value;
}

std::optional<milliseconds> parse_unit(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (unit.name == text) return unit.length;
  }
  return std::nullopt;
}

Result<std::uint64_t> parse_burst(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || trimmed(text.substr(0, equals)) != "max_burst") {
    return fail(Errc::kBadRate, "behind the comma only max_burst=N may stand");
  }
  const auto burst = parse_count(trimmed(text.substr(equals + 1)), kBurstMax);
  if (!burst) return fail(Errc::kBadRate, "max_burst is a whole number from 1 to 1,000,000");
  return *burst;
}

}  // namespace

Result<Rate> parse_rate(std::string_view text) {
  Rate rate;
  const std::size_t comma = text.find(',');
  const std::string_view main = text.substr(0, comma);
  const std::size_t slash = main.find('/');
  if (slash == std::string_view::npos)
    return fail(Errc::kBadRate, "a rate has a unit, as in 100/s");
  const auto count = parse_count(trimmed(main.substr(0, slash)), kCountMax);
  if (!count) return fail(Errc::kBadRate, "the count is a whole number from 1 to 1,000,000,000");
  const auto per = parse_unit(trimmed(main.substr(slash + 1)));
  if (!per) return fail(Errc::kBadRate, "the unit is s, m, h or d");
  rate.count = *count;
  rate.per = *per;
  if (comma != std::string_view::npos) {
    TRY(rate.burst, parse_burst(text.substr(comma + 1)));
  }
  return rate;
}

std::string format_rate(const Rate& rate) {
  std::string out = fmt::format("{}/{}ms", rate.count, rate.per.count());
  for (const Unit& unit : kUnits) {
    if (unit.length != rate.per) continue;
    out = fmt::format("{}/{}", rate.count, unit.name);
    break;
  }
  if (rate.burst != 1) out += fmt::format(",max_burst={}", rate.burst);
  return out;
}

}  // namespace godwit::control
