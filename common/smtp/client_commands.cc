#include "common/smtp/client_commands.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "common/smtp/domain.h"
#include "common/smtp/xtext.h"
#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::smtp {
namespace {

void read_feature(PeerFeatures& peer, std::string_view line) {
  const auto split = line.find_first_of(" =");  // "AUTH=LOGIN" is an old misspelling
  const auto keyword = line.substr(0, split);
  const auto argument =
      split == std::string_view::npos ? std::string_view{} : line.substr(split + 1);
  const auto is = [keyword](std::string_view name) {
    return text::equals_ignoring_case(keyword, name);
  };
  if (is("PIPELINING")) peer.pipelining = true;
  if (is("8BITMIME")) peer.eight_bit_mime = true;
  if (is("SMTPUTF8")) peer.smtputf8 = true;
  if (is("DSN")) peer.dsn = true;
  if (is("ENHANCEDSTATUSCODES")) peer.enhanced_status_codes = true;
  if (is("CHUNKING")) peer.chunking = true;
  if (is("STARTTLS")) peer.starttls = true;
  if (is("SIZE")) {
    peer.size = true;
    std::from_chars(argument.data(), argument.data() + argument.size(), peer.size_max);
  }
  if (is("AUTH")) {
    for (std::string_view rest = argument; !rest.empty();) {
      const auto word = rest.substr(0, rest.find(' '));
      if (text::equals_ignoring_case(word, "PLAIN")) peer.auth_plain = true;
      if (text::equals_ignoring_case(word, "LOGIN")) peer.auth_login = true;
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    }
  }
}

// An ORCPT value for the wire; empty when it cannot be said.
std::string encode_orcpt(const std::string& orcpt, bool utf8) {
  const auto semicolon = orcpt.find(';');
  if (semicolon == std::string::npos) return {};
  const auto type = std::string_view(orcpt).substr(0, semicolon);
  const auto address = std::string_view(orcpt).substr(semicolon + 1);
  if (!std::ranges::all_of(type, [](char c) {
        return c == '-' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               (c >= 'a' && c <= 'z');
      }))
    return {};
  if (!text::equals_ignoring_case(type, "utf-8"))
    return std::string(type) + ";" + encode_xtext(address);
  if (!text::is_utf8(address)) return {};
  return std::string(type) + ";" + encode_utf8_address(address, !utf8);
}

std::string encode_notify(std::uint8_t notify) {
  if ((notify & kNotifyNever) != 0) return "NEVER";
  std::string out;
  const auto add = [&](std::uint8_t bit, std::string_view name) {
    if ((notify & bit) == 0) return;
    if (!out.empty()) out += ',';
    out += name;
  };
  add(kNotifySuccess, "SUCCESS");
  add(kNotifyFailure, "FAILURE");
  add(kNotifyDelay, "DELAY");
  return out;
}

}  // namespace

Reply reply_of_ours(EnhancedCode enhanced, std::string text) {
  return {0, enhanced, std::move(text)};
}

bool is_sendable(const std::string& address) {
  const AddressRules any{.utf8 = true,
                         .bare_postmaster = true,
                         .local_part_bytes_max = 1024,
                         .domain_bytes_max = kDomainBytesMax,
                         .path_bytes_max = 2048};
  return Address::parse(address, any).has_value();
}

PeerFeatures read_features(const Reply& reply) {
  PeerFeatures peer;
  peer.esmtp = true;
  std::string_view rest = reply.text;
  const auto first = rest.substr(0, rest.find('\n'));
  peer.name = first.substr(0, first.find(' '));
  while (rest.find('\n') != std::string_view::npos) {
    rest.remove_prefix(rest.find('\n') + 1);
    read_feature(peer, rest.substr(0, rest.find('\n')));
  }
  return peer;
}

std::optional<Reply> obstacle(const ClientTransaction& transaction, const PeerFeatures& peer,
                              const ClientConfig& config) {
  if (!transaction.sender.empty() && !is_sendable(transaction.sender)) {
    return reply_of_ours({5, 1, 7}, "sender is not an address that can be sent");
  }
  if (transaction.smtputf8 && !peer.smtputf8)
    return reply_of_ours({5, 6, 7}, "host does not offer SMTPUTF8");
  if (transaction.eight_bit && !peer.eight_bit_mime && !config.ignore_8bitmime_missing) {
    return reply_of_ours({5, 6, 3}, "host does not offer 8BITMIME");
  }
  if (peer.size_max != 0 && transaction.size > peer.size_max) {
    return reply_of_ours({5, 3, 4}, "message of " + std::to_string(transaction.size) +
                                        " octets is above the host's limit of " +
                                        std::to_string(peer.size_max));
  }
  return std::nullopt;
}

std::string mail_line(const ClientTransaction& transaction, const PeerFeatures& peer) {
  std::string line = "MAIL FROM:<" + transaction.sender + ">";
  if (peer.size && transaction.size != 0) line += " SIZE=" + std::to_string(transaction.size);
  if (peer.eight_bit_mime && transaction.eight_bit) line += " BODY=8BITMIME";
  if (peer.smtputf8 && transaction.smtputf8) line += " SMTPUTF8";
  if (peer.dsn && transaction.ret == Ret::kFull) line += " RET=FULL";
  if (peer.dsn && transaction.ret == Ret::kHeaders) line += " RET=HDRS";
  if (peer.dsn && !transaction.envid.empty()) line += " ENVID=" + encode_xtext(transaction.envid);
  return line;
}

std::string rcpt_line(const ClientRecipient& recipient, const ClientTransaction& transaction,
                      const PeerFeatures& peer) {
  std::string line = "RCPT TO:<" + recipient.address + ">";
  if (peer.dsn && recipient.notify != 0) line += " NOTIFY=" + encode_notify(recipient.notify);
  if (peer.dsn && !recipient.orcpt.empty()) {
    const auto orcpt = encode_orcpt(recipient.orcpt, transaction.smtputf8 && peer.smtputf8);
    if (!orcpt.empty()) line += " ORCPT=" + orcpt;
  }
  return line;
}

}  // namespace godwit::smtp
