#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace godwit::smtp {

// Finds the end of DATA in a stream, and what must not be in it.
//
// Input     octets of the content as they come, in any split, in wire form (dot-stuffed)
// Output    how many octets of the input are content, and whether the end, a violation or the end
//           of the input follows. At most kHeldBackMax octets at the input's end are neither yet (a
//           dot at the start of a line may be the end): the caller keeps them and gives them again
//           with what follows.
// Bounds    no memory, no copies, 64 octets a step
// Threads   a value, one thread
// Source    RFC 5321 s2.3.8 (line ends), s4.1.1.4 and s4.5.2 (the end and transparency), s4.5.3.1.6
//           (line length)
//
// Only CRLF.CRLF ends DATA. A CR not followed by LF, an LF not preceded by CR and a NUL are
// violations wherever they stand: taken as line ends by others, they would smuggle a second
// message.
class DataScanner {
 public:
  static constexpr std::size_t kHeldBackMax = 2;

  // The longest line with its CRLF, not counting a stuffed dot. 0: any length.
  explicit DataScanner(std::size_t line_bytes_max = 1000) : line_bytes_max_(line_bytes_max) {}

  enum class Found : std::uint8_t {
    kMore,    // content_bytes are content, the rest of the input (at most kHeldBackMax) is not
              // decided
    kEnd,     // content_bytes are content, then comes the end: kEndBytes octets, ".\r\n"
    kBareCr,  // content_bytes are what could be read before the violation. Do not scan on.
    kBareLf,
    kNul,
  };
  static constexpr std::size_t kEndBytes = 3;
  struct Scan {
    Found found = Found::kMore;
    std::size_t content_bytes = 0;
  };
  [[nodiscard]] Scan scan(std::string_view input);

  // For content whose end is known by count (BDAT): the same checks without an end and without
  // dots; all of the input is content. One message uses one of the two functions.
  [[nodiscard]] Scan scan_counted(std::string_view input);
  // True when the content so far ends with CR: an error if nothing follows.
  [[nodiscard]] bool ends_with_cr() const { return after_cr_; }

  // About all content so far.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t size_unstuffed() const {
    return size_ - stuffed_dots_;
  }  // RFC 1870 s5
  [[nodiscard]] bool has_8bit() const { return has_8bit_; }
  [[nodiscard]] bool line_too_long() const;

 private:
  template <bool kDotted>
  Scan scan_as(std::string_view input);

  std::size_t line_bytes_max_;
  std::uint64_t size_ = 0;
  std::uint64_t stuffed_dots_ = 0;
  std::uint64_t line_begin_ =
      0;  // where in the content the current line began, after a stuffed dot
  bool at_line_start_ = true;
  bool after_cr_ = false;
  bool has_8bit_ = false;
  bool line_too_long_ = false;
};

}  // namespace godwit::smtp
