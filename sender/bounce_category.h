#pragma once

#include <string_view>

#include "common/smtp/client_session.h"
#include "common/smtp/reply.h"

namespace godwit::sender {

// The category of a reply that did not deliver: `class` of the event. The names are those the field has agreed
// on (PowerMTA's bounceCat), so that back ends that parse them go on working:
//
//   bad-configuration bad-connection bad-domain bad-mailbox content-related inactive-mailbox invalid-sender
//   message-expired no-answer-from-host other policy-related protocol-errors quota-issues relaying-issues
//   routing-errors spam-related virus-related
//
// A first classification by code, stage and a few words; rules per provider come with the bounce role.
// Threads   pure; linear in the text
// Source    RFC 3463 s3 and the IANA registry of enhanced status codes
[[nodiscard]] std::string_view bounce_category(const smtp::Reply& reply, smtp::ClientStage stage);

}  // namespace godwit::sender
