#pragma once

#include <cstdint>
#include <string_view>

#include "common/smtp/client_session.h"
#include "godwit/v1/delivery.pb.h"

namespace godwit::sender {

// What one attempt means for one recipient.
enum class Verdict : std::uint8_t {
  kDelivered,  // terminal
  kBounced,    // terminal
  kDeferred,   // tried again when its time comes
  kUnknown,  // as deferred, but nobody knows whether the host has the message (10 minutes at least)
  kHeld,     // not offered: it waits for an operator (Recipient.held)
  kAgain,    // the host takes no more recipients in this transaction: the next one, at once
};

struct Judgement {
  Verdict verdict = Verdict::kDeferred;
  std::string_view category;  // empty when delivered
};

// Judges what the dialogue said about a recipient.
//
//   2xx to the final dot                 delivered
//   4xx anywhere, 421 included           deferred
//   5xx to MAIL, RCPT, DATA, the dot     bounced
//   552 to RCPT, no code that says more  deferred: old hosts mean "too many recipients" (RFC 5321
//                                        s4.5.3.1.10)
//   452 or such a 552 to RCPT after another recipient was taken: again, in the next transaction of
//                                        this attempt
//   5xx to banner, EHLO, STARTTLS, AUTH  deferred: it is about us or that host, not the recipient
//   refused on our side (the peer's SIZE 5.3.4, SMTPUTF8 5.6.7, 8BITMIME 5.6.3): bounced
//   connection lost                      before the final dot: deferred; after it: unknown
//
// `others_accepted`: another recipient of the same transaction got a 2xx to its RCPT.
//
// Threads   pure
[[nodiscard]] Judgement judge(const smtp::RecipientOutcome& outcome, bool others_accepted);

// A reply as records carry it: printable, bounded, with the stage it answered.
[[nodiscard]] v1::Reply record_reply(const smtp::Reply& reply, std::string_view stage);

}  // namespace godwit::sender
