#pragma once

#include <string_view>

#include "common/smtp/client_session.h"
#include "common/smtp/reply.h"

// What a refusal is about. The names are those the field has agreed on (PowerMTA's bounceCat), so
// that back ends that parse them go on working:
//
//   bad-configuration bad-connection bad-domain bad-mailbox content-related inactive-mailbox
//   invalid-sender message-expired no-answer-from-host other policy-related protocol-errors
//   quota-issues relaying-issues routing-errors spam-related virus-related
//
// A first classification by words, enhanced code and code; rules per provider come later.
namespace godwit::report {

// Of a reply at a stage of the dialogue, and of the diagnostic text of a bounce (then the stage is
// kRcpt, where most of them come from).
// Order     words that leave no doubt, the enhanced code, other words, the code
// Threads   pure; linear in the text
// Source    RFC 3463 s3 and the IANA registry of enhanced status codes
[[nodiscard]] std::string_view bounce_category(const smtp::Reply& reply, smtp::ClientStage stage);

// What a category means for whoever sends.
struct Meaning {
  bool permanent = false;        // a final no: status class 5
  bool suppress = false;         // the address itself is bad: do not write to it again
  std::string_view fault;        // recipient tenant source destination us; empty: unknown
  bool retry_elsewhere = false;  // another source may be taken where this one was not
};
// `permanent`: of the status class. A category of bounce_category().
[[nodiscard]] Meaning meaning_of(std::string_view category, bool permanent,
                                 std::string_view diagnostic);

}  // namespace godwit::report
