#include "sender/transaction.h"

#include <algorithm>

#include "common/report/return_address.h"
#include "common/text/escape.h"

namespace godwit::sender {

TransactionMaker::TransactionMaker(const Environment& environment, const QueuedDelivery& delivery)
    : env_(environment),
      delivery_(delivery),
      return_domain_(env_.return_path.domain_for(*env_.control.current(),
                                                 delivery.record.head.tenant(),
                                                 delivery.record.envelope.sender())) {}

std::size_t TransactionMaker::recipients_max(std::uint32_t batch) const {
  return return_domain_.empty() ? std::max<std::uint32_t>(batch, 1) : 1;
}

smtp::ClientTransaction TransactionMaker::make(std::uint64_t tag,
                                               const std::vector<int>& recipients) const {
  const record::Delivery& record = delivery_.record;
  const v1::Envelope& envelope = record.envelope;
  smtp::ClientTransaction transaction;
  transaction.tag = tag;
  transaction.sender = envelope.sender();
  transaction.ret = static_cast<smtp::Ret>(envelope.ret());
  transaction.envid = envelope.envid();
  transaction.smtputf8 = record.head.smtputf8();
  transaction.eight_bit = record.content.has_8bit();
  transaction.size = record.content.size_unstuffed();
  transaction.content = delivery_.content;
  transaction.dot_stuffed = record.content.dot_stuffed();
  for (const int index : recipients) {
    const v1::Recipient& recipient = envelope.recipients(index);
    transaction.recipients.push_back(
        {recipient.address(), static_cast<std::uint8_t>(recipient.notify()), recipient.orcpt()});
  }
  if (!return_domain_.empty()) {
    set_return_address(transaction, envelope.recipients(recipients.front()));
  }
  return transaction;
}

void TransactionMaker::set_return_address(smtp::ClientTransaction& transaction,
                                          const v1::Recipient& of) const {
  transaction.sender = env_.return_path.keys->encode(
      {.message = delivery_.id.message,
       .index = of.index(),
       .tenant_tag = report::tenant_tag(delivery_.record.head.tenant())},
      return_domain_);
  // RFC 3461 s5.2.1: where mail is forwarded, the bounce names whom we wrote to.
  std::string& orcpt = transaction.recipients.front().orcpt;
  if (orcpt.empty()) orcpt = (text::is_ascii(of.address()) ? "rfc822;" : "utf-8;") + of.address();
}

}  // namespace godwit::sender
