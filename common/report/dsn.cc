#include "common/report/dsn.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/mail/compose.h"
#include "common/mail/content.h"
#include "common/smtp/xtext.h"
#include "common/text/escape.h"

namespace godwit::report {
namespace {

constexpr std::size_t kDiagnosticBytesMax = 900;  // RFC 5322 s2.1.1: a line has 998 octets
constexpr std::size_t kNameBytesMax = 255;

struct Words {
  std::string_view subject;
  std::string_view sentence;
};

Words words_for(Action action) {
  switch (action) {
    case Action::kDelivered:
      return {"Delivery notification: your mail was delivered",
              "Your message was delivered to the recipients below."};
    case Action::kRelayed:
      return {"Delivery notification: your mail was relayed",
              "Your message was handed to the mail server of the recipients below, which does\r\n"
              "not send notifications of its own."};
    case Action::kDelayed:
      return {"Delivery notification: your mail is delayed",
              "Your message could not be delivered yet to the recipients below. This is a\r\n"
              "warning only: you do not need to send it again. It is tried further."};
    default:
      return {"Undeliverable: your mail could not be delivered",
              "Your message could not be delivered to the recipients below. It is not tried\r\n"
              "further."};
  }
}

// ASCII of peers' text for a field: UTF-8 beyond it is escaped.
std::string ascii(std::string_view peer_text, std::size_t bytes_max) {
  std::string out;
  for (const char c : text::printable(peer_text, bytes_max)) {
    if (out.size() + 4 > bytes_max) break;
    if (static_cast<unsigned char>(c) < 0x80) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// "rfc822; a@b", or "utf-8; ..." (RFC 6533 s3).
std::string typed_address(std::string_view address, bool utf8) {
  if (text::is_ascii(address)) return "rfc822; " + std::string(address);
  return "utf-8; " + smtp::encode_utf8_address(address, !utf8);
}

// ORCPT goes back as it came: type and address.
std::string typed_original(std::string_view orcpt, bool utf8) {
  const std::size_t semicolon = orcpt.find(';');
  if (semicolon == std::string_view::npos) return typed_address(orcpt, utf8);
  const std::string_view address = orcpt.substr(semicolon + 1);
  if (!text::is_ascii(address)) return typed_address(address, utf8);
  return std::string(orcpt.substr(0, semicolon)) + "; " + std::string(address);
}

std::string for_people(const DsnContent& content) {
  const Words words = words_for(content.recipients.front().action);
  std::string out =
      fmt::format("This is the mail system at {}.\r\n\r\n{}\r\n\r\n", content.host, words.sentence);
  for (const DsnRecipient& one : content.recipients) {
    out += fmt::format("  <{}>\r\n", one.recipient);
    if (!one.diagnostic.empty()) {
      out += fmt::format("    {}{}\r\n",
                         one.remote_host.empty()
                             ? std::string{}
                             : text::printable(one.remote_host, kNameBytesMax) + " said: ",
                         text::printable(one.diagnostic, kDiagnosticBytesMax - kNameBytesMax));
    }
  }
  if (!content.returned.empty()) {
    out += content.returned_whole ? "\r\nYour message is attached.\r\n"
                                  : "\r\nThe header of your message is attached.\r\n";
  }
  return out;
}

std::string for_machines(const DsnContent& content, bool utf8) {
  std::string out;
  const auto field = [&out](std::string_view name, std::string_view value) {
    out += fmt::format("{}: {}\r\n", name, value);
  };
  if (!content.envelope_id.empty())
    field("Original-Envelope-Id", ascii(content.envelope_id, kDiagnosticBytesMax));
  field("Reporting-MTA", "dns; " + content.host);
  field("Arrival-Date", mail::format_date(content.arrival));
  for (const DsnRecipient& one : content.recipients) {
    out += "\r\n";
    if (!one.orcpt.empty()) field("Original-Recipient", typed_original(one.orcpt, utf8));
    field("Final-Recipient", typed_address(one.recipient, utf8));
    field("Action", action_name(one.action));
    field("Status", one.status.to_text());
    if (!one.remote_host.empty())
      field("Remote-MTA", "dns; " + ascii(one.remote_host, kNameBytesMax));
    if (!one.diagnostic.empty())
      field("Diagnostic-Code", "smtp; " + ascii(one.diagnostic, kDiagnosticBytesMax));
    field("Last-Attempt-Date", mail::format_date(one.last_attempt));
    if (one.will_retry_until) field("Will-Retry-Until", mail::format_date(*one.will_retry_until));
  }
  return out;
}

// Content-Type of what is returned.
std::string_view type_of_returned(const DsnContent& content) {
  const std::size_t header_end = content.returned.find("\r\n\r\n");
  const bool global = mail::has_8bit(std::string_view(content.returned).substr(0, header_end));
  if (content.returned_whole) return global ? "message/global" : "message/rfc822";
  return global ? "message/global-headers" : "text/rfc822-headers";
}

std::string boundary_for(const DsnContent& content) {
  std::string boundary = "godwit-" + content.id.to_text();
  while (content.returned.contains("--" + boundary)) boundary += "-";
  return boundary;
}

}  // namespace

Dsn write_dsn(const DsnContent& content) {
  CHECK(!content.recipients.empty() && !content.to.empty(),
        "a notification about and for somebody");
  Dsn dsn;
  dsn.smtputf8 = !text::is_ascii(content.to);
  const std::string people = for_people(content);
  const std::string machines = for_machines(content, dsn.smtputf8);
  const std::string boundary = boundary_for(content);
  const auto encoding = [](std::string_view text) {
    return mail::has_8bit(text) ? "Content-Transfer-Encoding: 8bit\r\n" : "";
  };
  const bool body_8bit =
      mail::has_8bit(people) || mail::has_8bit(machines) || mail::has_8bit(content.returned);
  const Words words = words_for(content.recipients.front().action);

  std::string& out = dsn.content;
  out += mail::date_field(content.now);
  out += fmt::format("From: Mail Delivery System <MAILER-DAEMON@{}>\r\nTo: <{}>\r\nSubject: {}\r\n",
                     content.host, content.to, words.subject);
  out += mail::message_id_field(content.id, content.host);
  out += fmt::format(
      "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n{}"
      "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{}\"\r\n\r\n",
      body_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "", boundary);
  out += fmt::format(
      "--{}\r\nContent-Description: Notification\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n{}\r\n{}\r\n",
      boundary, encoding(people), people);
  out += fmt::format(
      "--{}\r\nContent-Description: Delivery report\r\nContent-Type: {}\r\n{}\r\n{}\r\n", boundary,
      dsn.smtputf8 ? "message/global-delivery-status" : "message/delivery-status",
      encoding(machines), machines);
  if (!content.returned.empty()) {
    out += fmt::format("--{}\r\nContent-Description: {}\r\nContent-Type: {}\r\n{}\r\n", boundary,
                       content.returned_whole ? "Undelivered message" : "Message header",
                       type_of_returned(content), encoding(content.returned));
    out += content.returned;
    if (!content.returned.ends_with("\r\n")) out += "\r\n";
  }
  out += fmt::format("--{}--\r\n", boundary);
  dsn.has_8bit = mail::has_8bit(out);
  return dsn;
}

MessageId derived_id(Timestamp time, std::string_view cause) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(cause.data()),
                     cause.size());
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_unix_ms(time)));
  // RFC 9562 s5.7: 48 bits of milliseconds, version 7, variant 10.
  for (std::size_t i = 0; i < 6; ++i) hash[i] = static_cast<unsigned char>(ms >> (40 - 8 * i));
  hash[6] = static_cast<unsigned char>(0x70 | (hash[6] & 0x0f));
  hash[8] = static_cast<unsigned char>(0x80 | (hash[8] & 0x3f));
  const std::string_view octets(reinterpret_cast<const char*>(hash.data()), 16);
  return MessageId::from_octets(octets).value_or(MessageId{});
}

}  // namespace godwit::report
