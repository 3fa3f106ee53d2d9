#include "common/report/bounce_text.h"

#include <algorithm>
#include <array>
#include <optional>

#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::report {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::size_t kAddressBytesMax = 320;
constexpr std::size_t kDiagnosticBytesMax = 1024;

// Lines behind which the returned message stands; lower case, anywhere in the line.
constexpr std::array<std::string_view, 22> kReturnedMarkers{"below this line is a copy",
                                                            "this is a copy of the message",
                                                            "below the next line is a copy",
                                                            "original message follows",
                                                            "original message -----",
                                                            "message headers follow",
                                                            "header of the original message",
                                                            "original mail as follows",
                                                            "unsent message follows",
                                                            "unsent message below",
                                                            "unsent message:",
                                                            "original text follows",
                                                            "returned message follows",
                                                            "message header follows",
                                                            "headers of the original message",
                                                            "begin message",
                                                            "copy of your message",
                                                            "original message headers",
                                                            "received: from",
                                                            "--- returned message ---",
                                                            "message text follows",
                                                            "original message ---"};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

bool is_atom(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         octet > 127 || std::string_view("!#$%&'*+/=?^_`{|}~.-").contains(c);
}

bool is_domain_char(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         octet > 127 || c == '.' || c == '-' || c == '_';
}

// An address around the "@" at `at`, with where it begins and ends.
struct Found {
  std::string_view address;
  std::size_t begin = 0;
  std::size_t end = 0;
};
std::optional<Found> address_at(std::string_view line, std::size_t at) {
  std::size_t begin = at;
  if (begin > 0 && line[begin - 1] == '"') {  // a quoted local part
    begin = line.rfind('"', begin - 2);
    if (begin == std::string_view::npos || at - begin > 66) return std::nullopt;
  } else {
    while (begin > 0 && at - begin < 256 && is_atom(line[begin - 1])) --begin;
    while (begin < at && std::string_view("'`=").contains(line[begin])) ++begin;
  }
  std::size_t end = at + 1;
  while (end < line.size() && end - at < 256 && is_domain_char(line[end])) ++end;
  while (end > at + 1 && (line[end - 1] == '.' || line[end - 1] == '-')) --end;
  const std::string_view address = line.substr(begin, end - begin);
  if (begin == at || end == at + 1 || !is_plausible_address(address)) return std::nullopt;
  return Found{address, begin, end};
}

// How surely an address in a line is the recipient.
enum class Weight : std::uint8_t { kNone, kMentioned, kNamed };

Weight weigh(std::string_view line, const Found& found) {
  std::string_view before = trimmed(line.substr(0, found.begin));
  const std::string lower = text::to_lower(before);
  const std::string_view behind = trimmed(line.substr(found.end));
  // "<a@b>:", "a@b", "  a@b [reason]", "* a@b", "1. a@b"
  const bool starts = before.find_first_not_of("<\"'(*- \t0123456789.>") == std::string_view::npos;
  if (starts) return Weight::kNamed;
  constexpr std::array<std::string_view, 16> kLeads{"rcpt to:",
                                                    "rcpt to:<",
                                                    "recipient <",
                                                    "recipient:",
                                                    "recipient: <",
                                                    "to: <",
                                                    "addressed to:",
                                                    "address:",
                                                    "rejected address",
                                                    "recipient",
                                                    "delivered to",
                                                    "delivered to <",
                                                    "following recipient:",
                                                    "your mail to <",
                                                    "recipients:",
                                                    "mail to <"};
  for (const std::string_view lead : kLeads) {
    if (lower.ends_with(lead)) return Weight::kNamed;
  }
  if (lower.contains("mail from") || lower.contains("from:") || lower.contains("contact") ||
      lower.ends_with("mailto:") || behind.starts_with("to ")) {
    return Weight::kNone;
  }
  return Weight::kMentioned;
}

bool begins_returned(std::string_view line) {
  const std::string lower = text::to_lower(line.substr(0, 200));
  // A header field at the start of a line, where people do not write one.
  if (lower.starts_with("return-path:") || lower.starts_with("received: ")) return true;
  return std::ranges::any_of(kReturnedMarkers,
                             [&](std::string_view marker) { return lower.contains(marker); });
}

}  // namespace

bool is_plausible_address(std::string_view address) {
  if (address.size() > kAddressBytesMax || !text::is_utf8(address)) return false;
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == address.size()) return false;
  const bool quoted = address.front() == '"';
  return std::ranges::none_of(address, [&](char c) {
    return (c >= 0 && c < ' ') || c == 127 || (c == ' ' && !quoted) || c == '<' || c == '>';
  });
}

std::vector<std::string> addresses_in(std::string_view text, std::size_t max) {
  std::vector<std::string> addresses;
  std::size_t at = text.find('@');
  while (at != std::string_view::npos && addresses.size() < max) {
    const auto found = address_at(text, at);
    if (found && std::ranges::find(addresses, found->address) == addresses.end())
      addresses.emplace_back(found->address);
    at = text.find('@', found ? std::max(found->end, at + 1) : at + 1);
  }
  return addresses;
}

BounceText read_bounce_text(std::string_view text, const std::vector<std::string>& not_meant) {
  const auto meant = [&](std::string_view address) {
    return std::ranges::none_of(not_meant, [&](const std::string& other) {
      return text::equals_ignoring_case(other, address);
    });
  };
  text = text.substr(0, kTextBytesMax);
  struct Place {
    std::string_view address;
    std::size_t begin;  // of its line
    Weight weight;
  };
  std::vector<Place> places;
  std::size_t end_of_said = text.size();
  for (std::size_t line_begin = 0; line_begin < text.size();) {
    const std::size_t line_end = std::min(text.find('\n', line_begin), text.size());
    const std::string_view line = text.substr(line_begin, line_end - line_begin);
    if (begins_returned(line)) {
      end_of_said = line_begin;
      break;
    }
    for (std::size_t at = line.find('@'); at != std::string_view::npos && places.size() < 500;) {
      const auto found = address_at(line, at);
      if (found && meant(found->address)) {
        if (const Weight weight = weigh(line, *found); weight != Weight::kNone)
          places.push_back({found->address, line_begin, weight});
      }
      at = line.find('@', found ? std::max(found->end, at + 1) : at + 1);
    }
    line_begin = line_end + 1;
  }
  BounceText out;
  const std::string_view said = text.substr(0, end_of_said);
  out.said = text::printable(said, 4 * kDiagnosticBytesMax);
  out.returned = std::string(text.substr(end_of_said));
  const bool named = std::ranges::any_of(
      places, [](const Place& place) { return place.weight == Weight::kNamed; });
  if (named) {
    std::erase_if(places, [](const Place& place) { return place.weight != Weight::kNamed; });
  } else if (places.size() > 1) {
    places.resize(1);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    // What is said about it: up to the line of the next one.
    std::size_t end = said.size();
    for (std::size_t j = i + 1; j < places.size(); ++j) {
      if (places[j].begin > places[i].begin &&
          !text::equals_ignoring_case(places[j].address, places[i].address)) {
        end = places[j].begin;
        break;
      }
    }
    const std::string_view about = said.substr(places[i].begin, end - places[i].begin);
    const auto known = std::ranges::find_if(out.recipients, [&](const TextRecipient& one) {
      return text::equals_ignoring_case(one.address, places[i].address);
    });
    if (known != out.recipients.end()) continue;
    if (out.recipients.size() >= kTextRecipientsMax) break;
    out.recipients.push_back(
        {std::string(places[i].address), text::printable(trimmed(about), kDiagnosticBytesMax)});
  }
  return out;
}

}  // namespace godwit::report
