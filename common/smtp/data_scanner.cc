#include "common/smtp/data_scanner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace godwit::smtp {
namespace {

constexpr std::size_t kBlockBytes = 64;

// Which of 64 octets are what: bit i for octet i.
struct LineEnds {
  std::uint64_t cr = 0;
  std::uint64_t lf = 0;
  bool any_nul = false;
  bool any_high = false;
};

#if defined(__SSE2__)
using Lane = __m128i;
constexpr int kLanes = 4;

Lane lane(const char* block, int i) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16 * i));
}
std::uint64_t bits(Lane matches, int i) {
  return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(matches))) << (16 * i);
}

LineEnds line_ends_of(const char* block) {
  LineEnds ends;
  const Lane cr = _mm_set1_epi8('\r');
  const Lane lf = _mm_set1_epi8('\n');
  Lane least = lane(block, 0);
  Lane all = least;
  for (int i = 0; i < kLanes; ++i) {
    const Lane octets = lane(block, i);
    ends.cr |= bits(_mm_cmpeq_epi8(octets, cr), i);
    ends.lf |= bits(_mm_cmpeq_epi8(octets, lf), i);
    least = _mm_min_epu8(least, octets);
    all = _mm_or_si128(all, octets);
  }
  ends.any_nul = _mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0;
  ends.any_high = _mm_movemask_epi8(all) != 0;
  return ends;
}
std::uint64_t nuls_of(const char* block) {
  std::uint64_t nuls = 0;
  for (int i = 0; i < kLanes; ++i)
    nuls |= bits(_mm_cmpeq_epi8(lane(block, i), _mm_setzero_si128()), i);
  return nuls;
}
std::uint64_t highs_of(const char* block) {
  std::uint64_t highs = 0;
  for (int i = 0; i < kLanes; ++i) highs |= bits(lane(block, i), i);
  return highs;
}
#else
template <class Is>
std::uint64_t where(const char* block, Is is) {
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    if (is(block[i])) mask |= 1ull << i;
  }
  return mask;
}
std::uint64_t nuls_of(const char* block) {
  return where(block, [](char c) { return c == '\0'; });
}
std::uint64_t highs_of(const char* block) {
  return where(block, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}
LineEnds line_ends_of(const char* block) {
  return {.cr = where(block, [](char c) { return c == '\r'; }),
          .lf = where(block, [](char c) { return c == '\n'; }),
          .any_nul = nuls_of(block) != 0,
          .any_high = highs_of(block) != 0};
}
#endif

// The lowest `count` bits, count up to 64.
constexpr std::uint64_t low_bits(std::size_t count) {
  return count >= 64 ? ~0ull : (1ull << count) - 1;
}

enum class Dot : std::uint8_t { kStuffed, kEnd, kUndecided };

// What the dot at the start of a line, text[0], is.
Dot dot_at(std::string_view text) {
  if (text.size() == 1) return Dot::kUndecided;
  if (text[1] != '\r') return Dot::kStuffed;
  if (text.size() == 2) return Dot::kUndecided;
  return text[2] == '\n' ? Dot::kEnd : Dot::kStuffed;  // ".\rX": the bare CR is found in its turn
}

}  // namespace

template <bool kDotted>
DataScanner::Scan DataScanner::scan_as(std::string_view input) {
  const std::uint64_t before = size_;

  // A line begins at input[at]. Set when scanning stops there.
  const auto line_begins = [&](std::size_t at) -> std::optional<Scan> {
    line_begin_ = before + at;
    if constexpr (kDotted) {
      if (at < input.size() && input[at] == '.') {
        const Dot dot = dot_at(input.substr(at));
        if (dot != Dot::kStuffed) {
          size_ = before + at;
          at_line_start_ = true;
          after_cr_ = false;
          return Scan{dot == Dot::kEnd ? Found::kEnd : Found::kMore, at};
        }
        ++stuffed_dots_;
        ++line_begin_;  // RFC 5321 s4.5.3.1.6: the length is counted without it
      }
    }
    return std::nullopt;
  };

  if (at_line_start_ && !input.empty()) {
    if (const auto stop = line_begins(0)) return *stop;
    at_line_start_ = false;
  }
  char tail[kBlockBytes];
  for (std::size_t begin = 0; begin < input.size(); begin += kBlockBytes) {
    const std::size_t length = std::min(kBlockBytes, input.size() - begin);
    const char* block = input.data() + begin;
    if (length < kBlockBytes) {
      // Filled up with what is nothing: neither a line end nor a NUL nor above 127.
      std::memset(tail, ' ', kBlockBytes);
      block = static_cast<const char*>(std::memcpy(tail, block, length));
    }
    const LineEnds line_ends = line_ends_of(block);

    const std::uint64_t behind_cr =
        (line_ends.cr << 1 | static_cast<std::uint64_t>(after_cr_)) & low_bits(length);
    const std::uint64_t bare_lf = line_ends.lf & ~behind_cr;
    const std::uint64_t bare_cr = behind_cr & ~line_ends.lf;
    std::uint64_t violations = bare_lf | bare_cr;
    if (line_ends.any_nul) [[unlikely]]
      violations |= nuls_of(block);
    const std::uint64_t sound = violations == 0 ? ~0ull : low_bits(std::countr_zero(violations));

    for (std::uint64_t ends = line_ends.lf & sound; ends != 0; ends &= ends - 1) {
      const std::size_t next = begin + static_cast<std::size_t>(std::countr_zero(ends)) + 1;
      if (line_bytes_max_ != 0 && before + next - line_begin_ > line_bytes_max_)
        line_too_long_ = true;
      if (const auto stop = line_begins(next)) {
        has_8bit_ |= (highs_of(block) & low_bits(next - begin)) != 0;
        return *stop;
      }
      at_line_start_ = next == input.size();
    }
    has_8bit_ |= line_ends.any_high;
    if (violations != 0) {
      const int at = std::countr_zero(violations);
      const std::uint64_t bit = 1ull << at;
      const Found found = (bare_cr & bit) != 0   ? Found::kBareCr
                          : (bare_lf & bit) != 0 ? Found::kBareLf
                                                 : Found::kNul;
      return {found, begin + static_cast<std::size_t>(at)};
    }
    after_cr_ = (line_ends.cr >> (length - 1) & 1) != 0;
  }
  size_ = before + input.size();
  return {Found::kMore, input.size()};
}

DataScanner::Scan DataScanner::scan(std::string_view input) {
  return scan_as<true>(input);
}
DataScanner::Scan DataScanner::scan_counted(std::string_view input) {
  return scan_as<false>(input);
}

bool DataScanner::line_too_long() const {
  return line_too_long_ ||
         (line_bytes_max_ != 0 && size_ - line_begin_ > line_bytes_max_ && size_ > line_begin_);
}

}  // namespace godwit::smtp
