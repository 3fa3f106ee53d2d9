#include "common/smtp/client_transaction.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace godwit::smtp {

RunningTransaction::RunningTransaction(std::uint64_t number, ClientTransaction given)
    : serial(number), transaction(std::move(given)) {
  outcome.tag = transaction.tag;
  outcome.recipients.resize(transaction.recipients.size());
  decided.resize(transaction.recipients.size());
}

void RunningTransaction::decide(std::size_t recipient, Kind kind, ClientStage stage,
                                const Reply& reply) {
  if (decided[recipient]) return;
  decided[recipient] = true;
  outcome.recipients[recipient] = {kind, stage, reply};
}

void RunningTransaction::decide_rest(Kind kind, ClientStage stage, const Reply& reply) {
  for (std::size_t i = 0; i < decided.size(); ++i) decide(i, kind, stage, reply);
}

bool RunningTransaction::all_decided() const {
  return std::ranges::all_of(decided, std::identity{});
}

RecipientOutcome::Kind outcome_of(const Reply& reply) {
  return reply.permanent() ? RecipientOutcome::Kind::kRefused : RecipientOutcome::Kind::kDeferred;
}

}  // namespace godwit::smtp
