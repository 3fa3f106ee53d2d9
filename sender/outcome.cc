#include "sender/outcome.h"

#include "common/report/category.h"
#include "common/text/escape.h"

namespace godwit::sender {

namespace {

using smtp::ClientStage;
using Kind = smtp::RecipientOutcome::Kind;

constexpr std::size_t kReplyBytesMax = 1024;

// RFC 5321 s4.5.3.1.10: "too many recipients", as 452 or as the 552 of older hosts. Mailbox full has 552 too,
// and says so by its enhanced code.
bool too_many_recipients(const smtp::RecipientOutcome& outcome) {
  if (outcome.stage != ClientStage::kRcpt) return false;
  if (outcome.reply.code != 452 && outcome.reply.code != 552) return false;
  const auto& enhanced = outcome.reply.enhanced;
  return !enhanced || (enhanced->subject == 5 && enhanced->detail == 3);
}

bool about_the_host(ClientStage stage) {
  return stage == ClientStage::kBanner || stage == ClientStage::kEhlo ||
         stage == ClientStage::kStartTls || stage == ClientStage::kAuth;
}

}  // namespace

Judgement judge(const smtp::RecipientOutcome& outcome, bool others_accepted) {
  if (outcome.kind == Kind::kDelivered) return {Verdict::kDelivered, {}};
  const std::string_view category = report::bounce_category(outcome.reply, outcome.stage);
  if (outcome.kind == Kind::kUnknown) return {Verdict::kUnknown, category};
  if (too_many_recipients(outcome)) {
    return {others_accepted ? Verdict::kAgain : Verdict::kDeferred, category};
  }
  if (outcome.kind == Kind::kRefused && !about_the_host(outcome.stage)) {
    return {Verdict::kBounced, category};
  }
  return {Verdict::kDeferred, category};
}

v1::Reply record_reply(const smtp::Reply& reply, std::string_view stage) {
  v1::Reply record;
  record.set_code(static_cast<std::uint32_t>(reply.code));
  if (reply.enhanced) record.set_enhanced(reply.enhanced->to_text());
  record.set_text(text::printable(reply.joined(), kReplyBytesMax));
  record.set_command(std::string(stage));
  return record;
}

}  // namespace godwit::sender
