#include "sender/work_in_hand.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace godwit::sender {

using smtp::ClientStage;

bool Work::fresh() const {
  return std::ranges::none_of(results, [](const auto& result) {
    return result.has_value() && result->verdict != Verdict::kHeld;
  });
}

void Work::fill(Verdict verdict, const smtp::Reply& reply, std::string_view stage,
                std::string_view category) {
  for (const int index : left) {
    results[static_cast<std::size_t>(index)] =
        RecipientResult{verdict, record_reply(reply, stage), std::string(category)};
  }
  left.clear();
}

std::vector<RecipientResult> Work::take_results() {
  std::vector<RecipientResult> taken;
  taken.reserve(results.size());
  for (std::optional<RecipientResult>& result : results) {
    CHECK(result.has_value(), "a recipient without a result");
    taken.push_back(*std::move(result));
  }
  return taken;
}

WorkPtr WorkInHand::take_in(DeliveryPtr delivery) {
  auto work = std::make_shared<Work>();
  const auto recipients = static_cast<int>(delivery->recipients());
  work->results.resize(static_cast<std::size_t>(recipients));
  work->left.reserve(static_cast<std::size_t>(recipients));
  for (int i = 0; i < recipients; ++i) {
    if (delivery->record.envelope.recipients(i).held() != 0) {
      work->results[static_cast<std::size_t>(i)] = RecipientResult{.verdict = Verdict::kHeld};
    } else {
      work->left.push_back(i);
    }
  }
  work->delivery = std::move(delivery);
  works_.push_back(work);
  return work;
}

const std::vector<int>& WorkInHand::begin(const WorkPtr& work, std::size_t recipients_max,
                                          Instant now) {
  Open open{++tag_, work, {}, now};
  std::vector<int>& left = work->left;
  if (left.size() <= recipients_max) {
    open.offered = std::exchange(left, {});
  } else {
    const auto end = left.begin() + static_cast<std::ptrdiff_t>(recipients_max);
    open.offered.assign(left.begin(), end);
    left.erase(left.begin(), end);
  }
  work->token = false;
  work->begun = true;
  ++work->open;
  if (work->left.empty()) std::erase(works_, work);
  open_.push_back(std::move(open));
  return open_.back().offered;
}

void WorkInHand::offer_again(const WorkPtr& work) {
  if (std::ranges::find(works_, work) == works_.end()) works_.push_front(work);
}

WorkInHand::Ended WorkInHand::outcome(const smtp::TransactionOutcome& outcome) {
  const auto at = std::ranges::find(open_, outcome.tag, &Open::tag);
  CHECK(at != open_.end() && at->offered.size() == outcome.recipients.size(),
        "an outcome for a transaction that is not open");
  const Open open = std::move(*at);
  open_.erase(at);
  Work& work = *open.work;
  --work.open;
  if (!outcome.attempted) {
    // In the order they were offered.
    work.left.insert(work.left.begin(), open.offered.begin(), open.offered.end());
    offer_again(open.work);
    return {open.work, open.began};
  }
  const bool others_accepted =
      std::ranges::any_of(outcome.recipients, [](const smtp::RecipientOutcome& recipient) {
        return recipient.stage == ClientStage::kData || recipient.stage == ClientStage::kDot;
      });
  for (std::size_t i = 0; i < open.offered.size(); ++i) {
    const smtp::RecipientOutcome& said = outcome.recipients[i];
    const Judgement judgement = judge(said, others_accepted);
    if (judgement.verdict == Verdict::kAgain) {
      work.left.push_back(open.offered[i]);
      continue;
    }
    work.results[static_cast<std::size_t>(open.offered[i])] =
        RecipientResult{judgement.verdict, record_reply(said.reply, smtp::stage_name(said.stage)),
                        std::string(judgement.category)};
  }
  if (!work.left.empty()) offer_again(open.work);
  return {open.work, open.began};
}

}  // namespace godwit::sender
