#include "common/smtp/reply.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "common/smtp/errc.h"

namespace godwit::smtp {
namespace {

constexpr std::size_t kReplyLineBytesMax = 512;  // RFC 5321 s4.5.3.1.5, CRLF included

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// One to three digits without leading zeros; advances `text` past them.
std::optional<std::uint16_t> take_number(std::string_view& text) {
  std::size_t digits = 0;
  std::uint16_t value = 0;
  while (digits < text.size() && digits < 3 && is_digit(text[digits])) {
    value = static_cast<std::uint16_t>(value * 10 + (text[digits++] - '0'));
  }
  if (digits == 0 || (digits > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

// A code at the start of `text`; advances past it.
std::optional<EnhancedCode> take_enhanced(std::string_view& text) {
  std::string_view rest = text;
  const auto status_class = take_number(rest);
  if (!status_class || (*status_class != 2 && *status_class != 4 && *status_class != 5))
    return std::nullopt;
  if (!rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  const auto subject = take_number(rest);
  if (!subject || !rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  const auto detail = take_number(rest);
  if (!detail) return std::nullopt;
  text = rest;
  return EnhancedCode{*status_class, *subject, *detail};
}

constexpr std::size_t kNumberBytesMax = 10;                         // of an unsigned
constexpr std::size_t kEnhancedBytesMax = 3 * kNumberBytesMax + 2;  // with its dots

// Writes at `out`, where there is room; returns the end of it.
char* put(char* out, unsigned value) {
  return std::to_chars(out, out + kNumberBytesMax, value).ptr;
}

char* put(char* out, const EnhancedCode& code) {
  out = put(out, code.status_class);
  *out++ = '.';
  out = put(out, code.subject);
  *out++ = '.';
  return put(out, code.detail);
}

bool is_printable(char c, bool utf8) {
  const auto octet = static_cast<unsigned char>(c);
  if (octet >= 0x80) return utf8;
  return (octet >= 0x20 && octet != 0x7F) || c == '\t';
}

void append_printable(std::string& out, std::string_view text, bool utf8) {
  const std::size_t begin = out.size();
  out += text;
  for (char& c : std::span(out).subspan(begin)) {
    if (!is_printable(c, utf8)) c = '?';
  }
}

struct Line {
  int code = 0;
  bool last = false;
  std::string_view text;
};

// RFC 5321 s4.2: three digits, then "-" or a space and text, or nothing.
Result<Line> parse_line(std::string_view line) {
  if (line.size() < 3 || !std::ranges::all_of(line.substr(0, 3), is_digit))
    return fail(Errc::kBadSyntax);
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (code < 200 || code > 599) return fail(Errc::kBadSyntax);
  if (line.size() == 3) return Line{code, true, {}};
  if (line[3] != ' ' && line[3] != '-') return fail(Errc::kBadSyntax);
  return Line{code, line[3] == ' ', line.substr(4)};
}

// Takes the enhanced code off the front of a line when it fits the reply's class (RFC 2034 s4).
std::optional<EnhancedCode> take_fitting_enhanced(std::string_view& text, int code) {
  std::string_view rest = text;
  const auto enhanced = take_enhanced(rest);
  if (!enhanced || enhanced->status_class != code / 100) return std::nullopt;
  if (!rest.empty() && rest.front() != ' ') return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  text = rest;
  return enhanced;
}

// The next line of `input` from `at`; nothing when it is not all there.
Result<std::optional<std::string_view>> take_line(std::string_view input, std::size_t at,
                                                  std::size_t bytes_max) {
  const auto rest = input.substr(at);
  const auto newline = rest.substr(0, bytes_max).find('\n');
  const auto line = rest.substr(0, newline == std::string_view::npos ? bytes_max : newline);
  // RFC 5321 s2.3.8: only CRLF ends a line. A CR at the end of what is here may be half of one.
  const auto cr = line.find('\r');
  if (line.find('\0') != std::string_view::npos) return fail(Errc::kBareControl);
  if (cr != std::string_view::npos && cr + 1 != line.size()) return fail(Errc::kBareControl);
  if (newline == std::string_view::npos) {
    if (rest.size() >= bytes_max) return fail(Errc::kLineTooLong);
    return std::optional<std::string_view>{};
  }
  if (cr == std::string_view::npos) return fail(Errc::kBareControl);
  return line.substr(0, cr);
}

}  // namespace

std::string EnhancedCode::to_text() const {
  std::array<char, kEnhancedBytesMax> text;
  return {text.data(), put(text.data(), *this)};
}

std::optional<EnhancedCode> EnhancedCode::parse(std::string_view text) {
  const auto code = take_enhanced(text);
  return text.empty() ? code : std::nullopt;
}

std::string Reply::joined() const {
  std::string out = text;
  std::ranges::replace(out, '\n', ' ');
  return out;
}

std::string Reply::to_text() const {
  std::string out;
  if (code != 0) out = std::to_string(code);
  if (enhanced) {
    if (!out.empty()) out += ' ';
    out += enhanced->to_text();
  }
  if (!text.empty()) {
    if (!out.empty()) out += ' ';
    out += joined();
  }
  return out;
}

void append_reply(std::string& out, const ReplyView& reply, bool utf8) {
  std::string_view rest = reply.text;
  for (;;) {
    const auto newline = rest.find('\n');
    const auto line = rest.substr(0, newline);
    const bool last = newline == std::string_view::npos;
    std::array<char, kNumberBytesMax + kEnhancedBytesMax + 2> head;
    char* end = put(head.data(), static_cast<unsigned>(reply.code));
    *end++ = last ? ' ' : '-';
    if (reply.enhanced) {
      end = put(end, *reply.enhanced);
      if (!line.empty()) *end++ = ' ';
    }
    const auto head_bytes = static_cast<std::size_t>(end - head.data());
    out.append(head.data(), head_bytes);
    append_printable(out, line.substr(0, kReplyLineBytesMax - 2 - head_bytes), utf8);
    out += "\r\n";
    if (last) return;
    rest.remove_prefix(newline + 1);
  }
}

Result<std::optional<ParsedReply>> parse_reply(std::string_view input, const ReplyLimits& limits) {
  ParsedReply parsed;
  for (std::size_t lines = 0; lines < limits.lines_max; ++lines) {
    TRY(const auto octets, take_line(input, parsed.length, limits.line_bytes_max));
    if (!octets) return std::optional<ParsedReply>{};
    TRY(Line line, parse_line(*octets));
    if (lines == 0) parsed.reply.code = line.code;
    if (line.code != parsed.reply.code) return fail(Errc::kBadSyntax);
    parsed.length += octets->size() + 2;
    const auto enhanced = take_fitting_enhanced(line.text, line.code);
    if (lines == 0) {
      parsed.reply.enhanced = enhanced;
    } else {
      if (!parsed.reply.enhanced) parsed.reply.enhanced = enhanced;
      parsed.reply.text += '\n';
    }
    append_printable(parsed.reply.text, line.text, true);
    if (line.last) return std::optional<ParsedReply>(std::move(parsed));
  }
  return fail(Errc::kTooManyLines);
}

}  // namespace godwit::smtp
