#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/smtp/client_session.h"

namespace godwit::smtp {

// A transaction under way in a ClientSession: how far it got, and what became of each recipient.
// The first decision about a recipient stands.
struct RunningTransaction {
  using Kind = RecipientOutcome::Kind;
  RunningTransaction(std::uint64_t number, ClientTransaction given);

  std::uint64_t serial;
  ClientTransaction transaction;
  TransactionOutcome outcome;
  std::vector<bool> decided;  // by recipient
  std::size_t accepted = 0;   // recipients with 2xx to RCPT
  std::size_t rcpt_sent = 0;
  bool mail_accepted = false;
  bool dot_queued = false;
  bool discarded = false;     // no recipient is left: a lone dot answers a 354 (RFC 2920 s3.1)
  std::uint64_t dot_end = 0;  // the output's position behind the final dot

  void decide(std::size_t recipient, Kind kind, ClientStage stage, const Reply& reply);
  void decide_rest(Kind kind, ClientStage stage, const Reply& reply);
  [[nodiscard]] bool all_decided() const;
};

// What a refusal by the peer means for a recipient.
[[nodiscard]] RecipientOutcome::Kind outcome_of(const Reply& reply);

}  // namespace godwit::smtp
