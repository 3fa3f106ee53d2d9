#include "common/mail/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "common/text/idna.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kCommentBytesMax = 64;
constexpr std::size_t kAddressBytesMax = 254;  // RFC 5321 s4.5.3.1.3: 256 with the brackets

// What would begin or end something in a structured field (RFC 5322 s3.2.1).
bool is_delimiter(char c) {
  return std::string_view("()<>\\\",;").contains(c);
}

// What is printed of text that must be one word: anything that could end it becomes "?".
std::string safe_word(std::string_view word, std::size_t bytes_max) {
  std::string out(word.substr(0, bytes_max));
  std::ranges::replace_if(
      out,
      [](char c) { return c <= ' ' || c >= 0x7F || std::string_view("()<>\\\",;").contains(c); },
      '?');
  return out;
}

// "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 s4.1.3)
std::string address_literal(std::string_view address) {
  const bool ipv6 = address.contains(':');
  return fmt::format("[{}{}]", ipv6 ? "IPv6:" : "", safe_word(address, kCommentBytesMax));
}

bool is_address_literal(std::string_view helo) {
  if (helo.size() < 3 || !helo.starts_with('[') || !helo.ends_with(']')) return false;
  const std::string_view inside = helo.substr(1, helo.size() - 2);
  return std::ranges::all_of(inside, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' ||
           c == '.';
  });
}

// RFC 5321 s4.4: the name the peer gave, and the address it came from. What is no name is only a
// comment.
std::string from_clause(const Received& received) {
  const std::string address =
      received.address.empty() ? std::string("unknown") : address_literal(received.address);
  if (received.helo.empty()) return address;
  if (const Result<std::string> domain = text::to_ascii_domain(received.helo)) {
    return fmt::format("{} ({})", *domain, address);
  }
  if (is_address_literal(received.helo)) return fmt::format("{} ({})", received.helo, address);
  return fmt::format("{} (HELO {})", address, safe_word(received.helo, kCommentBytesMax));
}

// "TLSv1.3 TLS_AES_256_GCM_SHA384" as RFC 8314 s4.3 has it: the suite, the version as a comment.
std::string tls_clause(std::string_view tls) {
  const std::size_t space = tls.find(' ');
  if (space == std::string_view::npos)
    return fmt::format("tls {}", safe_word(tls, kCommentBytesMax));
  return fmt::format("tls {} ({})", safe_word(tls.substr(space + 1), kCommentBytesMax),
                     safe_word(tls.substr(0, space), kCommentBytesMax));
}

bool is_plain_address(std::string_view address) {
  return !address.empty() && address.size() <= kAddressBytesMax &&
         std::ranges::all_of(address,
                             [](char c) { return c > ' ' && c < 0x7F && !is_delimiter(c); });
}

}  // namespace

std::string format_date(Timestamp time) {
  using namespace std::chrono;
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", kDays[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string make_message_id(const MessageId& id, std::string_view domain) {
  return fmt::format("<{}@{}>", id.to_text(), safe_word(domain, text::kDomainBytesMax));
}

std::string date_field(Timestamp time) {
  return fmt::format("Date: {}\r\n", format_date(time));
}

std::string message_id_field(const MessageId& id, std::string_view domain) {
  return fmt::format("Message-ID: {}\r\n", make_message_id(id, domain));
}

std::string received_field(const Received& received) {
  std::string out =
      fmt::format("Received: from {}\r\n\tby {} with {}\r\n\tid {}", from_clause(received),
                  safe_word(received.by, text::kDomainBytesMax),
                  safe_word(received.protocol, kCommentBytesMax), received.id.to_text());
  if (is_plain_address(received.recipient))
    out += fmt::format("\r\n\tfor <{}>", received.recipient);
  if (!received.tls.empty()) out += fmt::format("\r\n\t{}", tls_clause(received.tls));
  out += fmt::format(";\r\n\t{}\r\n", format_date(received.time));
  return out;
}

}  // namespace godwit::mail
