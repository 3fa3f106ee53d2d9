#include "common/smtp/domain.h"

#include <cstdint>

#include "common/smtp/errc.h"
#include "common/text/escape.h"
#include "common/text/idna.h"
#include "common/text/octet_set.h"

namespace godwit::smtp {
namespace {

constexpr auto kDigits = text::OctetSet().with('0', '9');
constexpr auto kHexDigits = kDigits.with('a', 'f').with('A', 'F');
// With "_" as a letter.
constexpr auto kLabelOctets = kDigits.with('a', 'z').with('A', 'Z').with("-_");
constexpr auto kUtf8LabelOctets = kLabelOctets.with(0x80, 0xFF);

// RFC 5321 s4.1.2: sub-domain = Let-dig [Ldh-str].
bool is_label(std::string_view label, bool utf8) {
  if (label.empty() || label.size() > kLabelBytesMax) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return (utf8 ? kUtf8LabelOctets : kLabelOctets).contains_all(label);
}

// The number of 16-bit groups in "a:b:c"; -1 when something in it is no group. An IPv4 address may
// end it and counts as two.
int count_groups(std::string_view text) {
  if (text.empty()) return 0;
  int groups = 0;
  for (;;) {
    const auto colon = text.find(':');
    const auto group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
      return is_ipv4(group) ? groups + 2 : -1;
    }
    if (group.empty() || group.size() > 4 || !kHexDigits.contains_all(group)) return -1;
    ++groups;
    if (colon == std::string_view::npos) return groups;
    text.remove_prefix(colon + 1);
  }
}

}  // namespace

Result<void> check_domain(std::string_view text, bool utf8) {
  if (text.size() > kDomainBytesMax) return fail(Errc::kDomainTooLong);
  const bool ascii = text::is_ascii(text);
  if (!ascii && !text::is_utf8(text)) return fail(Errc::kBadSyntax);
  std::string_view rest = text;
  for (;;) {
    const auto dot = rest.find('.');
    if (!is_label(rest.substr(0, dot), true)) return fail(Errc::kBadSyntax);
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (!ascii && !utf8) return fail(Errc::kNeedsUtf8);
  return {};
}

bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const auto dot = text.find('.');
    const auto number = text.substr(0, dot);
    if (number.empty() || number.size() > 3 || !kDigits.contains_all(number)) return false;
    if (number.size() > 1 && number.front() == '0') return false;  // 010 is read as eight by some
    int value = 0;
    for (const char c : number) value = value * 10 + (c - '0');
    if (value > 255) return false;
    if (part == 3) return dot == std::string_view::npos;
    if (dot == std::string_view::npos) return false;
    text.remove_prefix(dot + 1);
  }
  return false;
}

bool is_ipv6(std::string_view text) {
  // RFC 5321 s4.1.3: eight groups, or fewer around one "::".
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) return count_groups(text) == 8;
  const auto head = text.substr(0, gap);
  const auto tail = text.substr(gap + 2);
  if (head.find('.') != std::string_view::npos) return false;
  const int before = count_groups(head);
  const int after = count_groups(tail);
  return before >= 0 && after >= 0 && before + after <= 7;
}

Result<void> check_address_literal(std::string_view text) {
  if (text.size() > kDomainBytesMax) return fail(Errc::kDomainTooLong);
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return fail(Errc::kBadSyntax);
  const auto inside = text.substr(1, text.size() - 2);
  constexpr std::string_view kIpv6Tag = "IPv6:";
  if (text::equals_ignoring_case(inside.substr(0, kIpv6Tag.size()), kIpv6Tag)) {
    if (is_ipv6(inside.substr(kIpv6Tag.size()))) return {};
    return fail(Errc::kBadSyntax);
  }
  if (is_ipv4(inside)) return {};
  // General-address-literal: Standardized-tag ":" 1*dcontent.
  const auto colon = inside.find(':');
  if (colon == std::string_view::npos || colon + 1 == inside.size()) return fail(Errc::kBadSyntax);
  if (!text::is_ascii(inside) || !is_label(inside.substr(0, colon), false))
    return fail(Errc::kBadSyntax);
  for (const char c : inside.substr(colon + 1)) {
    if (c < '!' || c > '~' || c == '[' || c == '\\' || c == ']') return fail(Errc::kBadSyntax);
  }
  return {};
}

}  // namespace godwit::smtp
