#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/smtp/client_session.h"
#include "sender/environment.h"

namespace godwit::sender {

// Says how one delivery is offered: sender or return address, parameters, content.
//
// Input     a delivery with its content in memory
// Threads   pure but for a look at the control data; borrows both, for the length of a step
class TransactionMaker {
 public:
  TransactionMaker(const Environment& environment, const QueuedDelivery& delivery);

  // A return address names one recipient, so such a transaction has one.
  [[nodiscard]] std::size_t recipients_max(std::uint32_t batch) const;
  // To these places in the envelope, one at least.
  [[nodiscard]] smtp::ClientTransaction make(std::uint64_t tag,
                                             const std::vector<int>& recipients) const;

 private:
  void set_return_address(smtp::ClientTransaction& transaction, const v1::Recipient& of) const;

  const Environment& env_;
  const QueuedDelivery& delivery_;
  std::string return_domain_;  // empty: the sender stays as it is
};

}  // namespace godwit::sender
