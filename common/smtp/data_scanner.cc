#include "common/smtp/data_scanner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "common/text/escape.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace godwit::smtp {
namespace {

constexpr std::size_t kBlockBytes = 64;

// All that decides anything, CR, LF and NUL, is at or below CR; little else of a text is.
// Which of 64 octets are: bit i for octet i. And whether one is above 127.
struct Block {
  std::uint64_t low = 0;
  bool any_high = false;
};

#if defined(__SSE2__)
Block look_at(const char* octets) {
  Block block;
  const __m128i cr = _mm_set1_epi8('\r');
  __m128i all = _mm_setzero_si128();
  for (std::size_t i = 0; i < kBlockBytes; i += sizeof all) {
    const __m128i lane = _mm_loadu_si128(reinterpret_cast<const __m128i*>(octets + i));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(lane, cr), lane);
    block.low |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(low))} << i;
    all = _mm_or_si128(all, lane);
  }
  block.any_high = _mm_movemask_epi8(all) != 0;
  return block;
}
#else
Block look_at(const char* octets) {
  Block block;
  for (std::size_t i = 0; i < kBlockBytes; ++i) {
    const auto octet = static_cast<unsigned char>(octets[i]);
    block.low |= std::uint64_t{octet <= '\r'} << i;
    block.any_high |= octet >= 0x80;
  }
  return block;
}
#endif

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
  if (input.empty()) return {};
  if (after_cr_ && input.front() != '\n') return {Found::kBareCr, 0};
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

  if (at_line_start_) {
    if (const auto stop = line_begins(0)) return *stop;
  }
  char tail[kBlockBytes];
  for (std::size_t begin = 0; begin < input.size(); begin += kBlockBytes) {
    const char* octets = input.data() + begin;
    if (const std::size_t length = input.size() - begin; length < kBlockBytes) {
      // Filled up with what is nothing: neither a line end nor a NUL nor above 127.
      std::memset(tail, ' ', kBlockBytes);
      octets = static_cast<const char*>(std::memcpy(tail, octets, length));
    }
    const Block block = look_at(octets);
    for (std::uint64_t low = block.low; low != 0; low &= low - 1) {
      const std::size_t at = begin + static_cast<std::size_t>(std::countr_zero(low));
      const std::size_t next = at + 1;
      if (input[at] == '\r') {
        if (next < input.size() && input[next] != '\n') return {Found::kBareCr, next};
      } else if (input[at] == '\n') {
        if (at > 0 ? input[at - 1] != '\r' : !after_cr_) return {Found::kBareLf, at};
        if (line_bytes_max_ != 0 && before + next - line_begin_ > line_bytes_max_)
          line_too_long_ = true;
        if (const auto stop = line_begins(next)) {
          has_8bit_ |= block.any_high && !text::is_ascii(input.substr(begin, next - begin));
          return *stop;
        }
      } else if (input[at] == '\0') {
        return {Found::kNul, at};
      }
    }
    has_8bit_ |= block.any_high;
  }
  size_ = before + input.size();
  at_line_start_ = input.back() == '\n';
  after_cr_ = input.back() == '\r';
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
