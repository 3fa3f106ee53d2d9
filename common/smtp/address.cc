#include "common/smtp/address.h"

#include "common/smtp/domain.h"
#include "common/smtp/errc.h"
#include "common/text/escape.h"
#include "common/text/idna.h"
#include "common/text/octet_set.h"

namespace godwit::smtp {
namespace {

// RFC 5322 s3.2.3: atext; with octets above 127 as RFC 6531 s3.3 adds them.
constexpr auto kAtext = text::OctetSet()
                            .with('a', 'z')
                            .with('A', 'Z')
                            .with('0', '9')
                            .with("!#$%&'*+-/=?^_`{|}~")
                            .with(0x80, 0xFF);

// What may stand in a domain, or is found to be wrong in one; the others end it.
constexpr auto kDomainOctets = text::OctetSet().with(0, 0xFF).without("<>,:@ \t\"()[]\\");

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// Octets of a Dot-string or Quoted-string at the start of `text`; 0: neither.
std::size_t local_part_length(std::string_view text) {
  if (text.starts_with('"')) {
    for (std::size_t at = 1; at < text.size(); ++at) {
      if (is_control(text[at])) return 0;
      if (text[at] == '"') return at + 1;
      if (text[at] == '\\' && (++at == text.size() || is_control(text[at]))) return 0;
    }
    return 0;
  }
  std::size_t at = 0;
  bool after_atom = false;
  for (; at < text.size(); ++at) {
    if (kAtext.contains(text[at])) {
      after_atom = true;
    } else if (text[at] == '.' && after_atom) {
      after_atom = false;
    } else {
      break;
    }
  }
  return after_atom ? at : 0;
}

// Octets of a domain or literal at the start of `text`.
std::size_t domain_length(std::string_view text) {
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    return close == std::string_view::npos ? text.size() : close + 1;
  }
  return kDomainOctets.span(text);
}

Result<void> check_host(std::string_view text, bool utf8) {
  return text.starts_with('[') ? check_address_literal(text) : check_domain(text, utf8);
}

// RFC 5321 s4.1.1.3, appendix C: a source route is taken and forgotten. Octets of "@a,@b:"; 0: a
// bad one.
std::size_t source_route_length(std::string_view text, bool utf8) {
  std::size_t at = 0;
  for (;;) {
    if (at >= text.size() || text[at] != '@') return 0;
    ++at;
    const std::size_t length = domain_length(text.substr(at));
    if (!check_host(text.substr(at, length), utf8)) return 0;
    at += length;
    if (at >= text.size()) return 0;
    if (text[at] == ':') return at + 1;
    if (text[at] != ',') return 0;
    ++at;
  }
}

}  // namespace

struct AddressParser {
  // A mailbox at the start of `text`; `length` becomes what it took.
  static Result<Address> mailbox(std::string_view text, const AddressRules& rules,
                                 std::size_t& length) {
    const std::size_t local = local_part_length(text);
    if (local == 0) return fail(Errc::kBadSyntax);
    const auto local_part = text.substr(0, local);
    std::size_t end = local;
    if (local < text.size() && text[local] == '@') {
      const std::size_t host = domain_length(text.substr(local + 1));
      if (host == 0) return fail(Errc::kBadSyntax);
      if (host > rules.domain_bytes_max) return fail(Errc::kDomainTooLong);
      TRY_VOID(check_host(text.substr(local + 1, host), rules.utf8));
      end = local + 1 + host;
    } else if (!rules.bare_postmaster || !text::equals_ignoring_case(local_part, "postmaster")) {
      return fail(Errc::kBadSyntax);
    }
    if (!text::is_utf8(local_part)) return fail(Errc::kBadSyntax);
    if (!rules.utf8 && !text::is_ascii(local_part)) return fail(Errc::kNeedsUtf8);
    if (local > rules.local_part_bytes_max) return fail(Errc::kLocalPartTooLong);
    if (end + 2 > rules.path_bytes_max) return fail(Errc::kPathTooLong);
    Address address;
    address.text_ = text.substr(0, end);
    address.local_bytes_ = local;
    length = end;
    return address;
  }
};

Result<Address> Address::parse(std::string_view mailbox, const AddressRules& rules) {
  std::size_t length = 0;
  TRY(Address address, AddressParser::mailbox(mailbox, rules, length));
  if (length != mailbox.size()) return fail(Errc::kBadSyntax);
  return address;
}

std::string_view Address::domain() const {
  std::string_view text = text_;
  return local_bytes_ < text.size() ? text.substr(local_bytes_ + 1) : std::string_view{};
}

bool Address::needs_utf8() const {
  return !text::is_ascii(text_);
}

Result<ParsedPath> parse_path(std::string_view text, const AddressRules& rules, bool null_allowed) {
  if (!text.starts_with('<')) return fail(Errc::kBadSyntax);
  std::size_t at = 1;
  if (null_allowed && text.starts_with("<>")) return ParsedPath{.address = {}, .length = 2};
  if (text.substr(at).starts_with('@')) {
    const std::size_t route = source_route_length(text.substr(at), rules.utf8);
    if (route == 0) return fail(Errc::kBadSyntax);
    at += route;
  }
  std::size_t length = 0;
  TRY(Address address, AddressParser::mailbox(text.substr(at), rules, length));
  at += length;
  if (at >= text.size() || text[at] != '>') return fail(Errc::kBadSyntax);
  return ParsedPath{.address = std::move(address), .length = at + 1};
}

}  // namespace godwit::smtp
