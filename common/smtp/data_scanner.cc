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
struct Masks {
  std::uint64_t cr = 0;
  std::uint64_t lf = 0;
  std::uint64_t nul = 0;
  std::uint64_t high = 0;
};

#if defined(__SSE2__)
Masks masks_of(const char* block) {
  Masks masks;
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i nul = _mm_setzero_si128();
  const auto bits = [](__m128i matches, int i) {
    return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(matches)))
           << (16 * i);
  };
  for (int i = 0; i < 4; ++i) {
    const __m128i octets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16 * i));
    masks.cr |= bits(_mm_cmpeq_epi8(octets, cr), i);
    masks.lf |= bits(_mm_cmpeq_epi8(octets, lf), i);
    masks.nul |= bits(_mm_cmpeq_epi8(octets, nul), i);
    masks.high |= bits(octets, i);
  }
  return masks;
}
#else
Masks masks_of(const char* block) {
  Masks masks;
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    const std::uint64_t bit = 1ull << i;
    if (block[i] == '\r') masks.cr |= bit;
    if (block[i] == '\n') masks.lf |= bit;
    if (block[i] == '\0') masks.nul |= bit;
    if (static_cast<unsigned char>(block[i]) >= 0x80) masks.high |= bit;
  }
  return masks;
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
  for (std::size_t begin = 0; begin < input.size(); begin += kBlockBytes) {
    const std::size_t length = std::min(kBlockBytes, input.size() - begin);
    char tail[kBlockBytes] = {};
    const char* block = input.data() + begin;
    if (length < kBlockBytes) block = static_cast<const char*>(std::memcpy(tail, block, length));
    Masks masks = masks_of(block);
    if (length < kBlockBytes) masks.nul &= low_bits(length);

    const std::uint64_t behind_cr =
        (masks.cr << 1 | static_cast<std::uint64_t>(after_cr_)) & low_bits(length);
    const std::uint64_t bare_lf = masks.lf & ~behind_cr;
    const std::uint64_t bare_cr = behind_cr & ~masks.lf;
    const std::uint64_t violations = bare_lf | bare_cr | masks.nul;
    const std::uint64_t sound = violations == 0 ? ~0ull : low_bits(std::countr_zero(violations));

    for (std::uint64_t ends = masks.lf & sound; ends != 0; ends &= ends - 1) {
      const std::size_t next = begin + static_cast<std::size_t>(std::countr_zero(ends)) + 1;
      if (line_bytes_max_ != 0 && before + next - line_begin_ > line_bytes_max_)
        line_too_long_ = true;
      if (const auto stop = line_begins(next)) {
        has_8bit_ |= (masks.high & low_bits(next - begin)) != 0;
        return *stop;
      }
      at_line_start_ = next == input.size();
    }
    has_8bit_ |= masks.high != 0;
    if (violations != 0) {
      const int at = std::countr_zero(violations);
      const std::uint64_t bit = 1ull << at;
      const Found found = (bare_cr & bit) != 0   ? Found::kBareCr
                          : (bare_lf & bit) != 0 ? Found::kBareLf
                                                 : Found::kNul;
      return {found, begin + static_cast<std::size_t>(at)};
    }
    after_cr_ = (masks.cr >> (length - 1) & 1) != 0;
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
