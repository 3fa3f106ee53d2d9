#include "common/smtp/command.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "common/smtp/domain.h"
#include "common/smtp/errc.h"
#include "common/smtp/xtext.h"
#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::smtp {
namespace {

constexpr std::size_t kEnvidBytesMax = 100;  // RFC 3461 s4.4
constexpr std::size_t kOrcptBytesMax = 500;  // RFC 3461 s4.2
constexpr std::size_t kSizeDigitsMax = 20;   // RFC 1870 s3
constexpr std::size_t kParametersMax = 16;

struct Parameter {
  std::string_view name;
  std::string_view value;
  bool has_value = false;
};

Reply bad_parameter(std::string_view name) {
  return Reply::of(501, {5, 5, 4}, "Bad value of parameter " + std::string(name));
}
Reply repeated(std::string_view name) {
  return Reply::of(501, {5, 5, 4}, "Parameter " + std::string(name) + " given twice");
}
Reply not_known(std::string_view name) {
  return Reply::of(555, {5, 5, 4},
                   "Parameter " + std::string(name.substr(0, 40)) + " not recognized");
}

bool is_name_char(char c, bool first) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c == '-' && !first;
}

// RFC 5321 s4.1.2: esmtp-param = esmtp-keyword ["=" esmtp-value]; RFC 6531 s3.3 lets UTF-8 into
// values.
std::optional<Parameter> parse_parameter(std::string_view word) {
  Parameter parameter;
  const auto equals = word.find('=');
  parameter.name = word.substr(0, equals);
  if (parameter.name.empty()) return std::nullopt;
  for (std::size_t i = 0; i < parameter.name.size(); ++i) {
    if (!is_name_char(parameter.name[i], i == 0)) return std::nullopt;
  }
  if (equals == std::string_view::npos) return parameter;
  parameter.has_value = true;
  parameter.value = word.substr(equals + 1);
  if (parameter.value.empty()) return std::nullopt;
  for (const char c : parameter.value) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet <= 0x20 || octet == 0x7F || c == '=') return std::nullopt;
  }
  return parameter;
}

// Calls visit(parameter) for each word behind the path; the first refusal ends it.
template <class Visit>
std::optional<Reply> for_each_parameter(std::string_view text, const Visit& visit) {
  if (!text.empty() && text.front() != ' ')
    return Reply::of(501, {5, 5, 4}, "Space expected behind the path");
  std::size_t count = 0;
  while (!text.empty()) {
    const auto begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    const auto parameter = parse_parameter(word);
    if (!parameter) return Reply::of(501, {5, 5, 4}, "Malformed parameter");
    if (++count > kParametersMax) return Reply::of(501, {5, 5, 4}, "Too many parameters");
    if (auto refusal = visit(*parameter)) return refusal;
  }
  return std::nullopt;
}

// True once for each bit.
bool first_time(unsigned& seen, unsigned bit) {
  const bool first = (seen & bit) == 0;
  seen |= bit;
  return first;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || text.size() > kSizeDigitsMax) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// RFC 3461 s4.1: NEVER alone, or a list of SUCCESS, FAILURE, DELAY.
std::optional<std::uint8_t> parse_notify(std::string_view text) {
  if (text::equals_ignoring_case(text, "NEVER")) return kNotifyNever;
  std::uint8_t bits = 0;
  for (;;) {
    const auto comma = text.find(',');
    const auto word = text.substr(0, comma);
    std::uint8_t bit = 0;
    if (text::equals_ignoring_case(word, "SUCCESS")) bit = kNotifySuccess;
    if (text::equals_ignoring_case(word, "FAILURE")) bit = kNotifyFailure;
    if (text::equals_ignoring_case(word, "DELAY")) bit = kNotifyDelay;
    if (bit == 0 || (bits & bit) != 0) return std::nullopt;
    bits |= bit;
    if (comma == std::string_view::npos) return bits;
    text.remove_prefix(comma + 1);
  }
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// RFC 3461 s4.2: addr-type ";" xtext; RFC 6533 s3 for the type utf-8.
std::optional<std::string> parse_orcpt(std::string_view text, bool utf8) {
  const auto semicolon = text.find(';');
  if (semicolon == std::string_view::npos || semicolon == 0 || text.size() > kOrcptBytesMax)
    return std::nullopt;
  const auto type = text.substr(0, semicolon);
  const auto encoded = text.substr(semicolon + 1);
  for (std::size_t i = 0; i < type.size(); ++i) {
    if (!is_name_char(type[i], i == 0)) return std::nullopt;
  }
  std::optional<std::string> address;
  if (text::equals_ignoring_case(type, "utf-8")) {
    if (text::is_ascii(encoded) || utf8) address = decode_utf8_address(encoded);
    if (address && !text::is_utf8(*address)) return std::nullopt;
  } else {
    address = decode_xtext(encoded);
    if (address && !is_printable(*address)) return std::nullopt;
  }
  if (!address || address->empty()) return std::nullopt;
  return std::string(type) + ";" + *address;
}

// RFC 4954 s5: xtext of "<>" or of a mailbox.
std::optional<std::string> parse_auth_parameter(std::string_view text, const AddressRules& rules) {
  auto decoded = decode_xtext(text);
  if (!decoded) return std::nullopt;
  if (*decoded != "<>" && !Address::parse(*decoded, rules)) return std::nullopt;
  return decoded;
}

Reply address_refusal(const std::error_code& code, EnhancedCode bad_address) {
  if (code == Errc::kNeedsUtf8) {
    return Reply::of(553, {5, 6, 7}, "Address needs SMTPUTF8");  // RFC 6531 s3.5
  }
  if (code == Errc::kLocalPartTooLong) return Reply::of(501, bad_address, "Local part too long");
  if (code == Errc::kDomainTooLong) return Reply::of(501, bad_address, "Domain too long");
  if (code == Errc::kPathTooLong) return Reply::of(501, bad_address, "Path too long");
  return Reply::of(501, bad_address, "Bad address syntax");
}

// Removes "FROM:" or "TO:" and one space.
bool take_keyword(std::string_view& argument, std::string_view keyword) {
  if (!text::equals_ignoring_case(argument.substr(0, keyword.size()), keyword)) return false;
  argument.remove_prefix(keyword.size());
  if (argument.starts_with(' ')) argument.remove_prefix(1);
  return true;
}

std::optional<Reply> set_mail_parameter(MailParameters& out, const Parameter& parameter,
                                        unsigned& seen, const AddressRules& rules,
                                        const Extensions& extensions) {
  const auto is = [&](std::string_view name) {
    return text::equals_ignoring_case(parameter.name, name);
  };
  if (extensions.size && is("SIZE")) {
    if (!first_time(seen, 1)) return repeated("SIZE");
    out.size = parse_decimal(parameter.value);
    if (!out.size) return bad_parameter("SIZE");
  } else if (extensions.eight_bit_mime && is("BODY")) {
    if (!first_time(seen, 2)) return repeated("BODY");
    if (text::equals_ignoring_case(parameter.value, "7BIT")) {
      out.body = Body::k7Bit;
    } else if (text::equals_ignoring_case(parameter.value, "8BITMIME")) {
      out.body = Body::k8BitMime;
    } else {
      return bad_parameter("BODY");
    }
  } else if (extensions.smtputf8 && is("SMTPUTF8")) {
    if (!first_time(seen, 4)) return repeated("SMTPUTF8");
    if (parameter.has_value) return bad_parameter("SMTPUTF8");
    out.smtputf8 = true;
  } else if (extensions.dsn && is("RET")) {
    if (!first_time(seen, 8)) return repeated("RET");
    if (text::equals_ignoring_case(parameter.value, "FULL")) {
      out.ret = Ret::kFull;
    } else if (text::equals_ignoring_case(parameter.value, "HDRS")) {
      out.ret = Ret::kHeaders;
    } else {
      return bad_parameter("RET");
    }
  } else if (extensions.dsn && is("ENVID")) {
    if (!first_time(seen, 16)) return repeated("ENVID");
    auto envid = decode_xtext(parameter.value);
    if (!envid || envid->empty() || parameter.value.size() > kEnvidBytesMax ||
        !is_printable(*envid)) {
      return bad_parameter("ENVID");
    }
    out.envid = *std::move(envid);
  } else if (extensions.auth && is("AUTH")) {
    if (!first_time(seen, 32)) return repeated("AUTH");
    out.auth = parse_auth_parameter(parameter.value, rules);
    if (!out.auth) return bad_parameter("AUTH");
  } else {
    return not_known(parameter.name);
  }
  return std::nullopt;
}

std::optional<Reply> set_rcpt_parameter(RcptParameters& out, const Parameter& parameter,
                                        unsigned& seen, const AddressRules& rules,
                                        const Extensions& extensions) {
  if (extensions.dsn && text::equals_ignoring_case(parameter.name, "NOTIFY")) {
    if (!first_time(seen, 1)) return repeated("NOTIFY");
    const auto notify = parse_notify(parameter.value);
    if (!notify) return bad_parameter("NOTIFY");
    out.notify = *notify;
  } else if (extensions.dsn && text::equals_ignoring_case(parameter.name, "ORCPT")) {
    if (!first_time(seen, 2)) return repeated("ORCPT");
    auto orcpt = parse_orcpt(parameter.value, rules.utf8);
    if (!orcpt) return bad_parameter("ORCPT");
    out.orcpt = *std::move(orcpt);
  } else {
    return not_known(parameter.name);
  }
  return std::nullopt;
}

constexpr std::pair<std::string_view, Verb> kVerbs[] = {
    {"HELO", Verb::kHelo},         {"EHLO", Verb::kEhlo}, {"MAIL", Verb::kMail},
    {"RCPT", Verb::kRcpt},         {"DATA", Verb::kData}, {"BDAT", Verb::kBdat},
    {"RSET", Verb::kRset},         {"NOOP", Verb::kNoop}, {"VRFY", Verb::kVrfy},
    {"EXPN", Verb::kExpn},         {"HELP", Verb::kHelp}, {"QUIT", Verb::kQuit},
    {"STARTTLS", Verb::kStartTls}, {"AUTH", Verb::kAuth},
};

}  // namespace

Command parse_command(std::string_view line) {
  while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  const auto space = line.find(' ');
  const auto word = line.substr(0, space);
  for (const auto& [name, verb] : kVerbs) {
    if (!text::equals_ignoring_case(word, name)) continue;
    if (space != std::string_view::npos)
      line.remove_prefix(space + 1);
    else
      line.remove_prefix(line.size());
    return {verb, line};
  }
  return {Verb::kUnknown, line};
}

std::expected<MailCommand, Reply> parse_mail(std::string_view argument, AddressRules rules,
                                             const Extensions& extensions) {
  if (!take_keyword(argument, "FROM:")) {
    return std::unexpected(Reply::of(501, {5, 5, 4}, "Syntax: MAIL FROM:<address>"));
  }
  rules.bare_postmaster = false;
  rules.utf8 = extensions.smtputf8;  // decided below, when the parameters are known
  auto path = parse_path(argument, rules, true);
  if (!path) return std::unexpected(address_refusal(path.error().code, {5, 1, 7}));
  MailCommand command;
  unsigned seen = 0;
  const auto refusal =
      for_each_parameter(argument.substr(path->length), [&](const Parameter& parameter) {
        return set_mail_parameter(command.parameters, parameter, seen, rules, extensions);
      });
  if (refusal) return std::unexpected(*refusal);
  if (path->address.needs_utf8() && !command.parameters.smtputf8) {
    return std::unexpected(address_refusal(make_error_code(Errc::kNeedsUtf8), {5, 1, 7}));
  }
  command.sender = std::move(path->address);
  return command;
}

std::expected<RcptCommand, Reply> parse_rcpt(std::string_view argument, AddressRules rules,
                                             const Extensions& extensions) {
  if (!take_keyword(argument, "TO:")) {
    return std::unexpected(Reply::of(501, {5, 5, 4}, "Syntax: RCPT TO:<address>"));
  }
  rules.bare_postmaster = true;
  auto path = parse_path(argument, rules, false);
  if (!path) return std::unexpected(address_refusal(path.error().code, {5, 1, 3}));
  RcptCommand command;
  unsigned seen = 0;
  const auto refusal =
      for_each_parameter(argument.substr(path->length), [&](const Parameter& parameter) {
        return set_rcpt_parameter(command.parameters, parameter, seen, rules, extensions);
      });
  if (refusal) return std::unexpected(*refusal);
  command.recipient = std::move(path->address);
  return command;
}

std::expected<BdatCommand, Reply> parse_bdat(std::string_view argument) {
  const auto space = argument.find(' ');
  const auto size = parse_decimal(argument.substr(0, space));
  BdatCommand command;
  if (space != std::string_view::npos) {
    command.last = text::equals_ignoring_case(argument.substr(space + 1), "LAST");
    if (!command.last)
      return std::unexpected(Reply::of(501, {5, 5, 4}, "Syntax: BDAT size [LAST]"));
  }
  if (!size) return std::unexpected(Reply::of(501, {5, 5, 4}, "Syntax: BDAT size [LAST]"));
  command.size = *size;
  return command;
}

}  // namespace godwit::smtp
