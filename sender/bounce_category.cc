#include "sender/bounce_category.h"

#include <algorithm>
#include <string>

#include "common/text/idna.h"

namespace godwit::sender {

namespace {

using smtp::ClientStage;
using smtp::EnhancedCode;

bool has(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      words, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
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
    case 5: return "protocol-errors";
    case 6: return "content-related";
    case 7:  // security and policy
      if (has(text, {"spam", "blacklist", "blocklist", "block list", "black list", "rbl",
                     "reputation", "listed", "unsolicited"})) {
        return "spam-related";
      }
      if (has(text, {"virus", "malware"})) return "virus-related";
      if (has(text, {"relay"})) return "relaying-issues";
      return "policy-related";
    default: return {};
  }
}

std::string_view by_words(std::string_view text) {
  if (has(text, {"virus", "malware", "infected"})) return "virus-related";
  if (has(text, {"spam", "blacklist", "blocklist", "block list", "black list", "rbl", "reputation",
                 "unsolicited"})) {
    return "spam-related";
  }
  if (has(text, {"relay"})) return "relaying-issues";
  if (has(text,
          {"quota", "mailbox full", "over limit", "mailbox is full", "insufficient storage"})) {
    return "quota-issues";
  }
  if (has(text, {"disabled", "inactive", "suspended"})) return "inactive-mailbox";
  if (has(text, {"unknown user", "user unknown", "no such user", "no such recipient",
                 "does not exist", "no mailbox", "recipient rejected", "unknown recipient",
                 "invalid recipient", "mailbox unavailable", "address rejected"})) {
    return "bad-mailbox";
  }
  if (has(text,
          {"policy", "greylist", "graylist", "denied", "not allowed", "dmarc", "spf", "dkim"})) {
    return "policy-related";
  }
  return {};
}

std::string_view by_code(int code, ClientStage stage) {
  switch (code) {
    case 0: return "bad-connection";
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

}  // namespace

std::string_view bounce_category(const smtp::Reply& reply, ClientStage stage) {
  if (stage == ClientStage::kAuth) return "bad-configuration";
  const std::string text = text::to_lower(reply.text);
  // X.0.0 and X.5.0 say nothing that the code does not.
  if (reply.enhanced && reply.enhanced->subject != 0) {
    if (const auto category = by_enhanced(*reply.enhanced, text); !category.empty())
      return category;
  }
  if (const auto category = by_words(text); !category.empty()) return category;
  return by_code(reply.code, stage);
}

}  // namespace godwit::sender
