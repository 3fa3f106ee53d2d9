#include "common/report/report.h"

#include <algorithm>
#include <array>

#include "common/mail/address_list.h"
#include "common/mail/transfer_encoding.h"
#include "common/report/bounce_text.h"
#include "common/report/mime.h"
#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::report {
namespace {

constexpr std::size_t kDiagnosticBytesMax = 1024;
constexpr std::size_t kNameBytesMax = 320;
constexpr smtp::EnhancedCode kFailedStatus{5, 0, 0};
constexpr smtp::EnhancedCode kDelayedStatus{4, 0, 0};

bool has(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.contains(word); });
}

std::string field(const mail::Header& header, std::string_view name) {
  const auto found = mail::find_field(header, name);
  return found ? mail::unfolded(found->value) : std::string{};
}

std::string lower_field(const mail::Header& header, std::string_view name) {
  return text::to_lower(field(header, name));
}

// Text without its tags, for reporters that write for browsers only.
std::string without_tags(std::string_view html) {
  std::string out;
  bool inside = false;
  for (const char c : html) {
    if (c == '<') {
      inside = true;
    } else if (c == '>' && inside) {
      inside = false;
      out += ' ';
    } else if (!inside) {
      out += c;
    }
  }
  return out;
}

std::string plausible(std::string_view address) {
  return is_plausible_address(address) ? std::string(address) : std::string{};
}

std::optional<smtp::EnhancedCode> status_of(std::string_view value) {
  const std::size_t begin = value.find_first_of("245");
  if (begin == std::string_view::npos) return std::nullopt;
  value.remove_prefix(begin);
  const std::size_t end = std::min(value.find_first_not_of("0123456789."), value.size());
  return smtp::EnhancedCode::parse(value.substr(0, end));
}

// What was said decides the category; whether it is final, the action and the class.
void judge(RecipientReport& report) {
  const QuotedReply quoted = quoted_reply(report.diagnostic);
  if (report.code == 0) report.code = quoted.code;
  // Hosts that relay a refusal put a status of their own into the field; what was said to them is
  // the better one, where both agree on how final it is.
  const bool better =
      quoted.enhanced && (quoted.enhanced->subject != 0 || !report.status) &&
      (!report.status || (quoted.enhanced->status_class == report.status->status_class &&
                          (report.status->subject == 0 || quoted.code != 0)));
  if (better) report.status = quoted.enhanced;
  if (!report.status && report.code >= 400)
    report.status = report.code >= 500 ? kFailedStatus : kDelayedStatus;
  if (report.action == Action::kUnset) {
    const bool delayed = report.status && report.status->status_class == 4 &&
                         !has(text::to_lower(report.diagnostic), {"giv", "queue too long"});
    report.action = delayed ? Action::kDelayed : Action::kFailed;
  }
  if (!report.status)
    report.status = report.action == Action::kDelayed ? kDelayedStatus : kFailedStatus;
  const bool good = report.status->status_class == 2 || report.action == Action::kDelivered ||
                    report.action == Action::kRelayed || report.action == Action::kExpanded;
  if (good) return;
  report.category = bounce_category({.code = report.code == 0 ? -1 : report.code,
                                     .enhanced = report.status,
                                     .text = report.diagnostic},
                                    smtp::ClientStage::kRcpt);
  report.meaning = meaning_of(report.category, report.status->status_class == 5, report.diagnostic);
}

class Reader {
 public:
  explicit Reader(std::string_view message)
      : parts_(take_apart(message.substr(0, kReportBytesMax))) {
    from_ = lower_field(parts_.header, "From");
    subject_ = text::to_lower(mail::decode_words(field(parts_.header, "Subject")));
  }

  Report read() {
    find_returned();
    if (!read_feedback() && !read_delivery_status() && !read_unsubscribe() && !read_autoreply() &&
        !read_text()) {
      report_.kind = Kind::kOther;
    }
    return std::move(report_);
  }

 private:
  [[nodiscard]] const Part* leaf(std::initializer_list<std::string_view> types) const {
    const auto found = std::ranges::find_if(parts_.leaves, [&](const Part& part) {
      return std::ranges::find(types, part.type) != types.end();
    });
    return found == parts_.leaves.end() ? nullptr : &*found;
  }

  void find_returned() {
    const Part* part = leaf({"message/rfc822", "text/rfc822-headers", "message/global",
                             "message/global-headers", "message/rfc822-headers"});
    if (part != nullptr) returned_ = part->decoded();
  }

  [[nodiscard]] std::string returned_field(std::string_view name) const {
    const mail::Header header = mail::Header::scan(Rope(Bytes::of_static(returned_)));
    return field(header, name);
  }

  // --- feedback (RFC 5965) ---

  bool read_feedback() {
    const Part* part = leaf({"message/feedback-report"});
    if (part == nullptr && parts_.report_type != "feedback-report") return read_jmrp();
    report_.kind = Kind::kFeedback;
    report_.machine_readable = part != nullptr;
    if (part == nullptr) return true;
    // The same syntax as a delivery status, in one block; recipients may be several.
    DeliveryStatus status = parse_delivery_status(part->decoded());
    StatusFields fields = std::move(status.message);
    for (StatusFields& block : status.recipients)
      std::ranges::move(block, std::back_inserter(fields));
    report_.feedback_type =
        text::printable(text::to_lower(value_of(fields, "Feedback-Type")), kNameBytesMax);
    report_.reporting_host =
        text::printable(typed_text(value_of(fields, "Reporting-MTA")).text, kNameBytesMax);
    report_.envelope_id = text::printable(value_of(fields, "Original-Envelope-Id"), kNameBytesMax);
    report_.original_sender = plausible(typed_text(value_of(fields, "Original-Mail-From")).text);
    for (const StatusField& one : fields) {
      if (text::equals_ignoring_case(one.name, "Original-Rcpt-To"))
        add_named(typed_text(one.value).text);
    }
    finish_feedback();
    return true;
  }

  // Hotmail's junk reports: the message, with whom it was for in a field of its own.
  bool read_jmrp() {
    if (returned_.empty()) return false;
    const std::string recipient = returned_field("X-HmXmrOriginalRecipient");
    if (recipient.empty()) return false;
    report_.kind = Kind::kFeedback;
    report_.feedback_type = "abuse";
    add_named(recipient);
    finish_feedback();
    return true;
  }

  void finish_feedback() {
    if (returned_.empty()) return;
    if (report_.original_sender.empty())
      report_.original_sender = plausible(typed_text(returned_field("Return-Path")).text);
    if (!report_.recipients.empty()) return;
    for (const std::string_view name : {"X-Original-To", "Delivered-To", "To"}) {
      for (const std::string& address : addresses_in(returned_field(name), 10)) add_named(address);
      if (!report_.recipients.empty()) return;
    }
  }

  void add_named(std::string_view address) {
    if (!is_plausible_address(address) || report_.recipients.size() >= kStatusRecipientsMax) return;
    RecipientReport one;
    one.recipient = address;
    report_.recipients.push_back(std::move(one));
  }

  // --- delivery status (RFC 3464) ---

  bool read_delivery_status() {
    std::string body;
    if (const Part* part = leaf({"message/delivery-status", "message/global-delivery-status"})) {
      body = part->decoded();
    } else {
      body = status_in_text();
    }
    if (body.empty()) return false;
    const DeliveryStatus status = parse_delivery_status(body);
    if (status.recipients.empty()) return false;
    report_.kind = Kind::kBounce;
    report_.machine_readable = true;
    report_.reporting_host =
        text::printable(typed_text(value_of(status.message, "Reporting-MTA")).text, kNameBytesMax);
    report_.envelope_id =
        text::printable(value_of(status.message, "Original-Envelope-Id"), kNameBytesMax);
    for (const StatusFields& fields : status.recipients) add(fields);
    complete_from_text();
    for (RecipientReport& one : report_.recipients) judge(one);
    return true;
  }

  // Some write the fields into the text, without the type that says so.
  [[nodiscard]] std::string status_in_text() const {
    const Part* part = leaf({"text/plain"});
    if (part == nullptr) return {};
    const std::string text = part->decoded();
    const std::string lower = text::to_lower(text);
    std::size_t begin = lower.find("reporting-mta");
    if (begin == std::string::npos) begin = lower.find("final-recipient:");
    if (begin == std::string::npos || !lower.contains("final-recipient:") ||
        !lower.contains("action:")) {
      return {};
    }
    begin = begin == 0 ? 0 : lower.rfind('\n', begin);
    return text.substr(begin == std::string::npos ? 0 : begin);
  }

  void add(const StatusFields& fields) {
    RecipientReport one;
    one.recipient = plausible(typed_text(value_of(fields, "Final-Recipient")).text);
    one.original = plausible(typed_text(value_of(fields, "Original-Recipient")).text);
    // Where the final one is no address ("rfc822; uid 22"), or only a local part.
    if (one.recipient.empty()) one.recipient = one.original;
    if (one.recipient.empty())
      one.recipient = plausible(typed_text(value_of(fields, "X-Actual-Recipient")).text);
    one.action = action_of(value_of(fields, "Action"));
    one.status = status_of(value_of(fields, "Status"));
    one.remote_host =
        text::printable(typed_text(value_of(fields, "Remote-MTA")).text, kNameBytesMax);
    one.diagnostic =
        text::printable(typed_text(value_of(fields, "Diagnostic-Code")).text, kDiagnosticBytesMax);
    report_.recipients.push_back(std::move(one));
  }

  // Fields without a diagnosis, or without an address: the text for people has them.
  void complete_from_text() {
    const bool complete = std::ranges::all_of(report_.recipients, [](const auto& one) {
      return !one.diagnostic.empty() && !one.recipient.empty();
    });
    if (complete) return;
    const BounceText said = read_bounce_text(first_text(), not_meant());
    for (RecipientReport& one : report_.recipients) {
      if (one.recipient.empty() && report_.recipients.size() == 1 && !said.recipients.empty())
        one.recipient = said.recipients.front().address;
      if (!one.diagnostic.empty()) continue;
      const auto about = std::ranges::find_if(said.recipients, [&](const TextRecipient& named) {
        return text::equals_ignoring_case(named.address, one.recipient);
      });
      if (about != said.recipients.end()) {
        one.diagnostic = about->diagnostic;
      } else if (report_.recipients.size() == 1) {
        one.diagnostic = text::printable(said.said, kDiagnosticBytesMax);
      }
    }
  }

  // --- unsubscribe and automatic replies ---

  bool read_unsubscribe() {
    const std::string_view subject = trimmed_subject();
    const bool asked = !field(parts_.header, "X-Apple-Unsubscribe").empty() ||
                       subject == "unsubscribe" || subject == "remove" || subject == "stop" ||
                       subject.starts_with("unsubscribe:") || subject.starts_with("unsubscribe me");
    if (!asked) return false;
    report_.kind = Kind::kUnsubscribe;
    add_sender();
    return true;
  }

  bool read_autoreply() {
    if (is_from_mailer()) return false;
    const mail::Header& header = parts_.header;
    const std::string submitted = lower_field(header, "Auto-Submitted");
    const std::string precedence = lower_field(header, "Precedence");
    const std::string_view subject = trimmed_subject();
    const bool automatic =
        submitted.contains("auto-replied") || precedence.contains("auto_reply") ||
        precedence.contains("auto-reply") || mail::find_field(header, "X-Autoreply") ||
        mail::find_field(header, "X-Autorespond") ||
        mail::find_field(header, "X-Auto-Response-Suppress") ||
        mail::find_field(header, "X-Autoreply-From") ||
        has(subject, {"out of office", "automatic reply", "auto reply", "autoreply", "auto-reply",
                      "on vacation", "out of the office", "vacation reply"}) ||
        subject.starts_with("auto:") || subject.starts_with("away ");
    if (!automatic || mail::find_field(header, "X-Failed-Recipients") || has_bounce_subject())
      return false;
    report_.kind = Kind::kAutoreply;
    add_sender();
    return true;
  }

  void add_sender() {
    const auto addresses = addresses_in(field(parts_.header, "From"), 1);
    if (!addresses.empty()) add_named(addresses.front());
  }

  [[nodiscard]] std::string_view trimmed_subject() const {
    std::string_view subject = subject_;
    const std::size_t begin = subject.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    subject.remove_prefix(begin);
    return subject.substr(0, subject.find_last_not_of(" \t\r\n.!") + 1);
  }

  // --- bounces for people ---

  [[nodiscard]] bool is_from_mailer() const {
    return has(from_, {"mailer-daemon", "postmaster", "mail delivery", "mail deliver",
                       "maildelivery", "mail-daemon", "mailer_daemon", "mail administrator",
                       "mailadministrator", "mail system", "delivery subsystem",
                       "system administrator", "mdaemon", "mailerdaemon", "mail daemon"});
  }
  [[nodiscard]] bool has_bounce_subject() const {
    return has(subject_, {"undeliver",
                          "delivery failure",
                          "delivery status",
                          "failure notice",
                          "returned mail",
                          "delivery failed",
                          "failed delivery",
                          "delivery error",
                          "delivery problem",
                          "could not be delivered",
                          "mail system error",
                          "non-delivery",
                          "nondeliver",
                          "non delivery",
                          "not delivered",
                          "error sending your mail",
                          "unzustellbar",
                          "delivery notification",
                          "delivery report",
                          "returned to sender",
                          "returning message",
                          "message delayed",
                          "mail failure",
                          "warning: message",
                          "notification of delivery",
                          "wasn't delivered",
                          "unable to deliver",
                          "mail delivery",
                          "rejected mail",
                          "delivery has failed",
                          "bounced",
                          "loop alert",
                          "notificationtype",
                          "message status",
                          "undelivered",
                          "email returned",
                          "permanent delivery"});
  }
  [[nodiscard]] bool is_sent_by_nobody() const {
    const auto path = mail::find_field(parts_.header, "Return-Path");
    return path && mail::unfolded(path->value) == "<>";
  }

  [[nodiscard]] std::string first_text() const {
    std::string text;
    for (const Part& part : parts_.leaves) {
      if (part.type == "text/plain") text += part.decoded();
      if (part.type.starts_with("message/")) break;
      if (text.size() > kTextBytesMax) break;
    }
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
      if (const Part* part = leaf({"text/html"})) text = without_tags(part->decoded());
    }
    return text;
  }

  // Who got the bounce and who sent it: named in it without being meant.
  [[nodiscard]] std::vector<std::string> not_meant() const {
    std::vector<std::string> addresses;
    for (const std::string_view name : {"From", "To", "Delivered-To", "Reply-To"}) {
      for (std::string& address : addresses_in(field(parts_.header, name), 10))
        addresses.push_back(std::move(address));
    }
    return addresses;
  }

  bool read_text() {
    const std::string failed = field(parts_.header, "X-Failed-Recipients");
    BounceText said = read_bounce_text(first_text(), not_meant());
    const std::string lower = text::to_lower(said.said);
    const bool returns = !returned_.empty() || !said.returned.empty();
    const bool regrets = has(
        lower, {"could not be delivered", "could not deliver", "unable to deliver",
                "was not delivered", "undeliverable", "delivery failed", "wasn't able to deliver"});
    const int signs = (is_from_mailer() ? 2 : 0) + (has_bounce_subject() ? 2 : 0) +
                      (is_sent_by_nobody() ? 1 : 0) + (failed.empty() ? 0 : 3) +
                      (returns && regrets ? 2 : 0);
    const bool speaks =
        has(lower, {"deliver", "undeliverable", "rejected", "unknown user", "user unknown",
                    "returned", "did not reach", "not reach", "failed", "bounce", "could not send",
                    "error", "disabled", "duplicated"});
    if (signs < 2 || (signs == 2 && !speaks)) return false;
    report_.kind = Kind::kBounce;
    if (returned_.empty()) returned_ = std::move(said.returned);
    if (!failed.empty()) {
      add_failed(failed, said);
    } else {
      for (TextRecipient& named : said.recipients)
        add_text(std::move(named.address), std::move(named.diagnostic), said.said,
                 said.recipients.size() == 1);
    }
    if (report_.recipients.empty()) add_returned_to(said.said);
    report_.original_sender = plausible(typed_text(returned_field("Return-Path")).text);
    for (RecipientReport& one : report_.recipients) judge(one);
    return true;
  }

  void add_failed(std::string_view failed, const BounceText& said) {
    for (std::string& address : addresses_in(failed, kTextRecipientsMax)) {
      const auto about = std::ranges::find_if(said.recipients, [&](const TextRecipient& named) {
        return text::equals_ignoring_case(named.address, address);
      });
      add_text(std::move(address),
               about == said.recipients.end() ? std::string{} : about->diagnostic, said.said,
               said.recipients.size() < 2);
    }
  }

  // The text names nobody: whom the returned message was for.
  void add_returned_to(const std::string& said) {
    std::string to = returned_field("To");
    if (to.empty()) {  // behind the line that says what follows
      const std::size_t at = returned_.find("\nTo:");
      if (at != std::string::npos)
        to = returned_.substr(at + 4, returned_.find('\n', at + 4) - at - 4);
    }
    const auto addresses = addresses_in(to, 2);
    add_text(addresses.size() == 1 ? addresses.front() : std::string{}, {}, said, true);
  }

  void add_text(std::string address, std::string diagnostic, const std::string& said, bool alone) {
    RecipientReport one;
    one.recipient = std::move(address);
    one.diagnostic = std::move(diagnostic);
    // An address alone on its line says nothing: what stands around it does.
    const auto vague = [](std::string_view text) {
      const QuotedReply quoted = quoted_reply(text);
      return !quoted.enhanced && quoted.code == 0;
    };
    const bool bare = one.diagnostic.size() < one.recipient.size() + 16;
    if (vague(one.diagnostic) && (bare || (alone && !vague(said))))
      one.diagnostic = text::printable(said, kDiagnosticBytesMax);
    if (has(text::to_lower(said),
            {"will be retried", "will retry", "still being retried", "will keep trying",
             "temporary problem", "delivery will continue", "delivery attempts will continue",
             "this is a warning message only", "continue to be attempted",
             "not yet been delivered"}))
      one.action = Action::kDelayed;
    report_.recipients.push_back(std::move(one));
  }

  Parts parts_;
  std::string from_;
  std::string subject_;
  std::string returned_;
  Report report_;
};

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kBounce: return "bounce";
    case Kind::kFeedback: return "feedback";
    case Kind::kAutoreply: return "autoreply";
    case Kind::kUnsubscribe: return "unsubscribe";
    case Kind::kOther: break;
  }
  return "other";
}

Report parse_report(std::string_view message) {
  return Reader(message).read();
}

}  // namespace godwit::report
