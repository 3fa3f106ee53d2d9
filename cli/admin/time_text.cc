#include "cli/admin/time_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdint>

#include "common/config/scalar.h"

namespace godwit::cli::admin {
namespace {

using std::chrono::milliseconds;

// Takes things off the front of a text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  // Exactly `digits` digits.
  std::optional<int> number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + digits, value);
    if (error != std::errc() || end != rest_.data() + digits || value < 0) return std::nullopt;
    rest_.remove_prefix(digits);
    return value;
  }
  bool take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] char front() const { return rest_.empty() ? '\0' : rest_.front(); }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  // ".5" as milliseconds; 0 without a dot, nothing after a dot without digits.
  std::optional<milliseconds> fraction() {
    if (!take(".")) return milliseconds(0);
    int value = 0;
    int scale = 1'000;
    std::size_t digits = 0;
    for (; front() >= '0' && front() <= '9'; ++digits) {
      if (scale > 1) {
        scale /= 10;
        value += (front() - '0') * scale;
      }
      rest_.remove_prefix(1);
    }
    return digits > 0 ? std::optional(milliseconds(value)) : std::nullopt;
  }

 private:
  std::string_view rest_;
};

std::optional<std::chrono::minutes> offset(Scanner& scanner) {
  if (scanner.take("Zz")) return std::chrono::minutes(0);
  const bool west = scanner.front() == '-';
  if (!scanner.take("+-")) return std::nullopt;
  const auto hours = scanner.number(2);
  if (!hours || !scanner.take(":")) return std::nullopt;
  const auto minutes = scanner.number(2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const std::chrono::minutes ahead(*hours * 60 + *minutes);
  return west ? -ahead : ahead;
}

// RFC 3339 s5.6, and a date alone.
std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  Scanner scanner(text);
  const auto year = scanner.number(4);
  if (!year || !scanner.take("-")) return std::nullopt;
  const auto month = scanner.number(2);
  if (!month || !scanner.take("-")) return std::nullopt;
  const auto day = scanner.number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const Timestamp midnight{std::chrono::sys_days(date)};
  if (scanner.empty()) return midnight;

  if (!scanner.take("Tt ")) return std::nullopt;
  const auto hours = scanner.number(2);
  if (!hours || !scanner.take(":")) return std::nullopt;
  const auto minutes = scanner.number(2);
  if (!minutes || !scanner.take(":")) return std::nullopt;
  const auto seconds = scanner.number(2);
  if (!seconds || *hours > 23 || *minutes > 59 || *seconds > 60) return std::nullopt;
  const auto fraction = scanner.fraction();
  if (!fraction) return std::nullopt;
  const auto ahead = offset(scanner);
  if (!ahead || !scanner.empty()) return std::nullopt;
  return midnight + std::chrono::hours(*hours) + std::chrono::minutes(*minutes) +
         std::chrono::seconds(*seconds) + *fraction - *ahead;
}

// The two largest units.
std::string duration_text(milliseconds length) {
  const std::int64_t seconds = length.count() / 1'000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3'600) return fmt::format("{}m{}s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{}h{}m", seconds / 3'600, seconds / 60 % 60);
  return fmt::format("{}d{}h", seconds / 86'400, seconds / 3'600 % 24);
}

}  // namespace

std::optional<Timestamp> parse_since(std::string_view text, Timestamp now) {
  if (const auto time = parse_rfc3339(text)) return time;
  if (const auto age = config::parse_duration(text)) return now - *age;
  return std::nullopt;
}

std::optional<Timestamp> parse_until(std::string_view text, Timestamp now) {
  if (const auto time = parse_rfc3339(text)) return time;
  if (const auto ahead = config::parse_duration(text)) return now + *ahead;
  return std::nullopt;
}

std::string time_text(Timestamp time) {
  if (time == Timestamp{}) return "-";
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", seconds, (time - seconds).count());
}

std::string age_text(Timestamp time, Timestamp now) {
  if (time == Timestamp{}) return "-";
  return time > now ? "in " + duration_text(time - now) : duration_text(now - time);
}

}  // namespace godwit::cli::admin
