#include "common/mail/compose.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>

#include "common/text/idna.h"
#include "common/text/octet_set.h"

namespace godwit::mail {
namespace {

constexpr std::size_t kCommentBytesMax = 64;
constexpr std::size_t kAddressBytesMax = 254;  // RFC 5321 s4.5.3.1.3: 256 with the brackets
constexpr std::size_t kReceivedBytes = 320;    // of most Received: fields

// Octets that neither begin nor end anything in a structured field (RFC 5322 s3.2.1), nor a word.
constexpr auto kWordOctets = text::OctetSet().with(0x21, 0x7E).without("()<>\\\",;");

// Text that must be one word: anything that could end it becomes "?".
void append_safe_word(std::string& out, std::string_view word, std::size_t bytes_max) {
  const std::size_t begin = out.size();
  out += word.substr(0, bytes_max);
  for (char& c : std::span(out).subspan(begin)) {
    if (!kWordOctets.contains(c)) c = '?';
  }
}

// "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 s4.1.3)
void append_address(std::string& out, std::string_view address) {
  if (address.empty()) {
    out += "unknown";
    return;
  }
  out += address.contains(':') ? "[IPv6:" : "[";
  append_safe_word(out, address, kCommentBytesMax);
  out += ']';
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
void append_from(std::string& out, const Received& received) {
  if (received.helo.empty()) return append_address(out, received.address);
  const Result<std::string> domain = text::to_ascii_domain(received.helo);
  if (!domain && !is_address_literal(received.helo)) {
    append_address(out, received.address);
    out += " (HELO ";
    append_safe_word(out, received.helo, kCommentBytesMax);
    out += ')';
    return;
  }
  out += domain ? *domain : received.helo;
  out += " (";
  append_address(out, received.address);
  out += ')';
}

// "TLSv1.3 TLS_AES_256_GCM_SHA384" as RFC 8314 s4.3 has it: the suite, the version as a comment.
void append_tls(std::string& out, std::string_view tls) {
  out += "tls ";
  const std::size_t space = tls.find(' ');
  if (space == std::string_view::npos) return append_safe_word(out, tls, kCommentBytesMax);
  append_safe_word(out, tls.substr(space + 1), kCommentBytesMax);
  out += " (";
  append_safe_word(out, tls.substr(0, space), kCommentBytesMax);
  out += ')';
}

bool is_plain_address(std::string_view address) {
  return !address.empty() && address.size() <= kAddressBytesMax &&
         kWordOctets.contains_all(address);
}

void append_number(std::string& out, long value, std::size_t digits_min = 1) {
  std::array<char, 20> digits;
  const char* end = std::to_chars(digits.begin(), digits.end(), value).ptr;
  const auto count = static_cast<std::size_t>(end - digits.data());
  if (count < digits_min) out.append(digits_min - count, '0');
  out.append(digits.data(), count);
}

void append_date(std::string& out, Timestamp time) {
  using namespace std::chrono;
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(floor<seconds>(time - day));
  out += kDays[weekday(day).c_encoding()];
  out += ", ";
  append_number(out, static_cast<unsigned>(date.day()));
  out += ' ';
  out += kMonths[static_cast<unsigned>(date.month()) - 1];
  out += ' ';
  append_number(out, static_cast<int>(date.year()));
  out += ' ';
  append_number(out, clock.hours().count(), 2);
  out += ':';
  append_number(out, clock.minutes().count(), 2);
  out += ':';
  append_number(out, clock.seconds().count(), 2);
  out += " +0000";
}

}  // namespace

std::string format_date(Timestamp time) {
  std::string out;
  append_date(out, time);
  return out;
}

std::string make_message_id(const MessageId& id, std::string_view domain) {
  std::string out = "<" + id.to_text() + "@";
  append_safe_word(out, domain, text::kDomainBytesMax);
  return out += '>';
}

std::string date_field(Timestamp time) {
  std::string out = "Date: ";
  append_date(out, time);
  return out += "\r\n";
}

std::string message_id_field(const MessageId& id, std::string_view domain) {
  return "Message-ID: " + make_message_id(id, domain) + "\r\n";
}

std::string received_field(const Received& received) {
  std::string out;
  out.reserve(kReceivedBytes);
  out += "Received: from ";
  append_from(out, received);
  out += "\r\n\tby ";
  append_safe_word(out, received.by, text::kDomainBytesMax);
  out += " with ";
  append_safe_word(out, received.protocol, kCommentBytesMax);
  out += "\r\n\tid ";
  out += received.id.to_text();
  if (is_plain_address(received.recipient)) {
    out += "\r\n\tfor <";
    out += received.recipient;
    out += '>';
  }
  if (!received.tls.empty()) {
    out += "\r\n\t";
    append_tls(out, received.tls);
  }
  out += ";\r\n\t";
  append_date(out, received.time);
  return out += "\r\n";
}

}  // namespace godwit::mail
