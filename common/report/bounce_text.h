#pragma once

#include <string>
#include <string_view>
#include <vector>

// Bounces that no machine was meant to read: qmail, Exim, Exchange and everybody's own.
namespace godwit::report {

// One recipient a bounce speaks of.
struct TextRecipient {
  std::string address;
  std::string diagnostic;  // what is said about it, one line
};

struct BounceText {
  std::vector<TextRecipient> recipients;
  std::string said;      // everything in front of the returned message, one line, bounded
  std::string returned;  // the returned message or its header, as it stands; may be empty
};

inline constexpr std::size_t kTextRecipientsMax = 100;
inline constexpr std::size_t kTextBytesMax = 64 * 1024;  // looked at

// Reads what a bounce says to people.
//
// Input     the text of the first part, transfer encoding undone; addresses that are not meant
//           (whom the bounce was sent to and who sent it)
// Output    recipients in the order they are named: addresses that stand at the start of a line,
//           behind RCPT TO or words like "to", each with the text up to the next one. None there:
//           the first other address
// Threads   pure; linear in the text; never fails
[[nodiscard]] BounceText read_bounce_text(std::string_view text,
                                          const std::vector<std::string>& not_meant);

// The addresses in a text, in order, each once: what looks like local@domain.
[[nodiscard]] std::vector<std::string> addresses_in(std::string_view text, std::size_t max);

// True when a delivery status may carry it: local part, "@", domain; UTF-8 without controls or
// spaces; at most 320 octets.
[[nodiscard]] bool is_plausible_address(std::string_view address);

}  // namespace godwit::report
