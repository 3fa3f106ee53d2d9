#include "common/log/ownership_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace godwit::log {

Result<Offset> first_offset(Offset committed, std::optional<Offset> kept, Extent extent) {
  if (committed >= 0) kept = committed;
  if (!kept && extent.start > 0) {
    return fail(Errc::kNotFound,
                fmt::format("the group has no position there, and its first {} records are gone",
                            extent.start));
  }
  const Offset next = kept.value_or(0);
  if (next > extent.end) {
    return fail(Errc::kNotFound,
                fmt::format("the group's position is {}, behind its end, {}", next, extent.end));
  }
  return std::max(next, extent.start);
}

std::string CopyMark::to_text() const {
  return fmt::format("{} {} {}", source, next, to_unix_ms(as_of));
}

std::optional<CopyMark> CopyMark::from_text(std::string_view text) {
  const std::size_t last = text.rfind(' ');
  if (last == std::string_view::npos || last == 0) return std::nullopt;
  const std::size_t middle = text.rfind(' ', last - 1);
  if (middle == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return value;
  };
  const auto next = number(text.substr(middle + 1, last - middle - 1));
  const auto ms = number(text.substr(last + 1));
  if (!next || !ms) return std::nullopt;
  return CopyMark{std::string(text.substr(0, middle)), *next, from_unix_ms(*ms)};
}

std::optional<Offset> reusable(const std::optional<CopyMark>& mark, std::string_view source,
                               Timestamp now, Extent extent) {
  if (!mark || mark->source != source || now - mark->as_of > kCopyAgeMax) return std::nullopt;
  if (mark->next < extent.start || mark->next > extent.end) return std::nullopt;
  return mark->next;
}

TransactionVerdict verdict_on(TransactionEnd end, bool time_is_over) {
  switch (end) {
    case TransactionEnd::kCommitted: return {};
    case TransactionEnd::kAborted: return {.code = Errc::kUnavailable};
    case TransactionEnd::kTooLarge: return {.code = Errc::kTooLarge};
    case TransactionEnd::kRejoined:
      if (time_is_over) return {.code = Errc::kUnavailable};
      return {.again = true};
    case TransactionEnd::kFenced:
      return {.code = Errc::kFenced, .ends_ownership = true, .ends_producer = true};
    case TransactionEnd::kUnknown: break;
  }
  return {.code = Errc::kUnknown, .ends_ownership = true, .ends_producer = true};
}

}  // namespace godwit::log
