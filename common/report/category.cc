#include "common/report/category.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>

#include "common/text/idna.h"

namespace godwit::report {
namespace {

using smtp::ClientStage;
using smtp::EnhancedCode;

bool has(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      words, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// About the address of the host that sends.
bool about_the_source(std::string_view text) {
  return has(text, {"blacklist",       "blocklist",    "block list",
                    "black list",      "dnsbl",        "rbl",
                    " listed",         "reputation",   "blocked using",
                    "reverse dns",     "ptr",          "client host",
                    "host rejected",   "ip address",   "bad ip",
                    "invalid ip",      "open relay",   "rate limited",
                    "user complaints", "unusual rate", "too many connections",
                    "service refused", "host network"});
}

// What a reply means that says this, whatever its codes are: hosts use 5.7.1, 5.0.0 and 550 for all
// of it.
std::string_view by_clear_words(std::string_view text) {
  if (has(text,
          {"domain of sender", "sender address rejected", "sender rejected", "sender was rejected",
           "invalid sender", "mail from address", "from: domain", "from address"})) {
    return "invalid-sender";
  }
  if (has(text, {"user unknown",
                 "unknown user",
                 "no such user",
                 "no mailbox here",
                 "no such mailbox",
                 "recipient not found",
                 "unknown recipient",
                 "mailbox not found",
                 "user not found",
                 "recipient unknown",
                 "no such recipient",
                 "recipient name is not recognized",
                 "not listed in domino",
                 "address not found",
                 "unknown or illegal",
                 "no such address",
                 "account that you tried to reach does "
                 "not exist",
                 "unknown address",
                 "unrouteable address",
                 "invalid mailbox",
                 "invalid recipient",
                 "address does not exist",
                 "user doesn't have",
                 "addressee unknown",
                 "not our customer",
                 "mailbox unavailable",
                 "no account by that name",
                 "invalid final delivery userid",
                 "check if address is correct",
                 "email address you entered couldn't be found",
                 "no longer on server",
                 "not a valid mailbox"}) &&
      !has(text, {"domain couldn't be found"}) && !text.contains(" because the domain ")) {
    return "bad-mailbox";
  }
  if (has(text, {"host unknown",
                 "host not found",
                 "domain not found",
                 "no such domain",
                 "domain does not exist",
                 "couldn't find any host",
                 "could not find any host",
                 "name service error",
                 "nxdomain",
                 "unknown domain",
                 "illegal host/domain",
                 "does not accept mail",
                 "domain couldn't be found",
                 " couldn't be found. check for typos",
                 "domain or host name not found",
                 "unknown host",
                 "unrouteable mail domain",
                 "domain is not reachable",
                 "doesn't receive email",
                 "dns lookup failure",
                 "system not accepting network messages",
                 "domain may not exist"}) &&
      !has(text, {"not found, try again", "doesn't receive email from"})) {
    return "bad-domain";
  }
  if (has(text, {"mailbox full", "mailbox is full", "over quota", "overquota", "quota exceeded",
                 "exceeded quota", "mailfolder is full", "quota exceed", "exceeded storage",
                 "insufficient storage", "insufficient system storage", "not enough disk",
                 "mailbox size limit", "storage quota", "disk quota", "account is full",
                 "too many messages in mailbox", "mailbox limit"})) {
    return "quota-issues";
  }
  if (has(text, {"message expired", "unable to deliver in", "has been in the queue too long",
                 "been in queue too long", "retry time not reached", "retry timeout exceeded",
                 "retry time limit", "delivery time expired", "could not be delivered for",
                 "not delivered within", "giving up after", "could not deliver for the last",
                 "failing for a long time", "envelope expired", "message will be retried",
                 "has expired", "days old"})) {
    return "message-expired";
  }
  if (has(text, {"virus", "malware", "infected", "trojan"})) return "virus-related";
  if (has(text,
          {"account is disabled", "is disabled", "account disabled", "is inactive", "inactive user",
           "suspended", "mailbox disabled", "account has been disabled", "user is not active",
           "not active", "account is locked", "disabled recipient", "recipient disabled"}) &&
      !has(text, {"delivery temporarily suspended"})) {
    return "inactive-mailbox";
  }
  if (has(text, {"dmarc", "unauthenticated email", "spf ", "spf)", "sender policy framework",
                 "dkim", "authentication-results", "sender authentication"})) {
    return "policy-related";
  }
  if (has(text, {"greylist", "graylist"})) return "policy-related";
  if (has(text, {"relaying denied", "relay not permitted", "relay access denied",
                 "relaying not allowed", "we do not relay", "unable to relay",
                 "relaying prohibited", "rcpthosts", "not permitted to relay"})) {
    return "relaying-issues";
  }
  if (has(text, {"message too large", "message size exceeds", "too big", "size limit exceeded",
                 "exceeds maximum size", "maximum message size", "message is too large",
                 "size exceeds"})) {
    return "content-related";
  }
  if (has(text, {"spam", "unsolicited", "bulk mail", "junk", " ube", "message content rejected"}))
    return "spam-related";
  return {};
}

std::string_view by_enhanced(const EnhancedCode& code, std::string_view text) {
  const auto subject = code.subject;
  const auto detail = code.detail;
  switch (subject) {
    case 1:  // addressing
      if (detail == 2 || detail == 10) return "bad-domain";
      if (detail == 7 || detail == 8) return "invalid-sender";
      return "bad-mailbox";
    case 2:  // mailbox
      if (detail <= 1 && about_the_source(text)) return "policy-related";
      if (detail == 1) return "inactive-mailbox";
      if (detail == 2) return "quota-issues";
      if (detail == 3) return "content-related";
      return "bad-mailbox";
    case 3:  // mail system
      if (detail == 4) return "content-related";
      if (detail == 1) return "quota-issues";
      return "bad-connection";
    case 4:  // network and routing
      if (detail == 1) return "no-answer-from-host";
      if (detail == 3) return "bad-domain";
      if (detail == 4 || detail == 6) return "routing-errors";
      if (detail == 7) return "message-expired";
      return "bad-connection";
    case 5:
      if (about_the_source(text) || has(text, {"client ip"})) return "policy-related";
      return "protocol-errors";
    case 6: return "content-related";
    case 7:  // security and policy
      if (about_the_source(text) && !has(text, {"reverse dns", "ptr"})) return "spam-related";
      if (has(text, {"relay"})) return "relaying-issues";
      return "policy-related";
    default: return {};
  }
}

std::string_view by_words(std::string_view text) {
  if (has(text, {"reverse dns", "ptr record"})) return "policy-related";
  if (about_the_source(text)) return "spam-related";
  if (has(text, {"relay"})) return "relaying-issues";
  if (has(text, {"quota", "over limit"})) return "quota-issues";
  if (has(text, {"disabled", "inactive"})) return "inactive-mailbox";
  if (has(text, {"does not exist", "no mailbox", "recipient rejected", "address rejected",
                 "invalid address", "not known", "group you tried to contact"})) {
    return "bad-mailbox";
  }
  if (has(text,
          {"timed out", "timeout", "no route to host", "connection refused", "unable to connect",
           "did not respond", "could not connect", "wasn't able to establish", "socket error",
           "not accept our requests to connect", "network is unreachable", "no answer"})) {
    return "no-answer-from-host";
  }
  if (has(text, {"lost connection", "connection lost", "connection reset", "connection dropped",
                 "connection closed"})) {
    return "bad-connection";
  }
  if (has(text, {"mail loop", "loops back", "too many hops", "hop count", "routing"}))
    return "routing-errors";
  if (has(text, {"policy", "denied", "not allowed", "access", "rejected", "refused", "blocked",
                 "limited", "mismatches client ip"}))
    return "policy-related";
  if (has(text, {"queue", "expired"})) return "message-expired";
  return {};
}

std::string_view by_code(int code, ClientStage stage) {
  switch (code) {
    case 0:
    case 421: return "bad-connection";
    case 452: return "quota-issues";
    case 552: return stage == ClientStage::kRcpt ? "quota-issues" : "content-related";
    case 500:
    case 501:
    case 502:
    case 503:
    case 504: return "protocol-errors";
    case 530:
    case 534:
    case 535:
    case 538: return "bad-configuration";
    case 550:
    case 551:
    case 553:
      if (stage == ClientStage::kMail) return "invalid-sender";
      return stage == ClientStage::kRcpt ? "bad-mailbox" : "policy-related";
    case 554: return "policy-related";
    default: return "other";
  }
}

struct Row {
  std::string_view category;
  bool address_is_bad;
  std::string_view fault;
  bool retry_elsewhere;
};
constexpr std::array kRows{
    Row{"bad-mailbox", true, "recipient", false},
    Row{"bad-domain", true, "recipient", false},
    Row{"inactive-mailbox", false, "recipient", false},
    Row{"quota-issues", false, "recipient", false},
    Row{"relaying-issues", false, "destination", false},
    Row{"routing-errors", false, "destination", false},
    Row{"no-answer-from-host", false, "destination", false},
    Row{"bad-connection", false, "destination", false},
    Row{"message-expired", false, "destination", false},
    Row{"content-related", false, "tenant", false},
    Row{"invalid-sender", false, "tenant", false},
    Row{"policy-related", false, "tenant", false},
    Row{"spam-related", false, "tenant", false},
    Row{"virus-related", false, "tenant", false},
    Row{"bad-configuration", false, "us", false},
    Row{"protocol-errors", false, "us", false},
};

}  // namespace

std::string_view bounce_category(const smtp::Reply& reply, ClientStage stage) {
  if (stage == ClientStage::kAuth) return "bad-configuration";
  const std::string text = text::to_lower(reply.text);
  if (const auto category = by_clear_words(text); !category.empty()) return category;
  // X.0.0 says nothing that the code does not.
  if (reply.enhanced && reply.enhanced->subject != 0) {
    if (const auto category = by_enhanced(*reply.enhanced, text); !category.empty())
      return category;
  }
  if (const auto category = by_words(text); !category.empty()) return category;
  return by_code(reply.code, stage);
}

Meaning meaning_of(std::string_view category, bool permanent, std::string_view diagnostic) {
  Meaning meaning{.permanent = permanent, .suppress = false, .fault = {}, .retry_elsewhere = false};
  const auto row = std::ranges::find(kRows, category, &Row::category);
  if (row == kRows.end()) return meaning;
  meaning.suppress = permanent && row->address_is_bad;
  meaning.fault = row->fault;
  // Spam and policy: the host that sends, or what it sends.
  if ((category == "spam-related" || category == "policy-related") &&
      about_the_source(text::to_lower(diagnostic))) {
    meaning.fault = "source";
    meaning.retry_elsewhere = true;
  }
  return meaning;
}

}  // namespace godwit::report
