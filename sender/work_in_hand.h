#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/smtp/client_session.h"
#include "sender/outcome.h"
#include "sender/queued_delivery.h"
#include "sender/settlement.h"

namespace godwit::sender {

// A delivery in hand of a courier, over one or more transactions.
struct Work {
  DeliveryPtr delivery;
  std::vector<std::optional<RecipientResult>> results;  // by place in the envelope
  std::vector<int> left;   // recipients that no transaction has offered yet
  std::uint32_t open = 0;  // transactions under way
  bool begun = false;
  bool token = false;  // taken for the next transaction

  [[nodiscard]] bool complete() const { return left.empty() && open == 0; }
  // Nobody in it has an outcome.
  [[nodiscard]] bool fresh() const;
  // For everybody who was not offered yet.
  void fill(Verdict verdict, const smtp::Reply& reply, std::string_view stage,
            std::string_view category);
  // Of a complete one: the results, in the order of the envelope.
  [[nodiscard]] std::vector<RecipientResult> take_results();
};
using WorkPtr = std::shared_ptr<Work>;

// The deliveries in hand of one courier: who of their recipients is still to be offered, and in which transaction
// under way the others are.
//
// Limits    one delivery that was not begun, and those whose transactions are under way (two at most)
// Threads   pure; belongs to one shard
class WorkInHand {
 public:
  // Comes behind those that are there. All its recipients are left, but those that are held.
  WorkPtr take_in(DeliveryPtr delivery);
  // Somebody is left to be offered.
  [[nodiscard]] bool any_left() const { return !works_.empty(); }
  [[nodiscard]] const WorkPtr& first() const { return works_.front(); }
  [[nodiscard]] const std::deque<WorkPtr>& all() const { return works_; }
  // Each once.
  template <class Visit>
  void visit(const Visit& visit) const {
    for (const WorkPtr& work : works_) visit(*work);
    for (const Open& open : open_) {
      const auto seen = [&](const WorkPtr& work) { return work == open.work; };
      const bool listed = std::ranges::any_of(works_, seen);
      const auto first = std::ranges::find(open_, open.work, &Open::work);
      if (!listed && &*first == &open) visit(*open.work);
    }
  }
  void drop_first() { works_.pop_front(); }
  // All that somebody is left of.
  [[nodiscard]] std::deque<WorkPtr> take_all() { return std::exchange(works_, {}); }

  // A transaction for the next recipients of `work`, `recipients_max` at most: their places in the
  // envelope. Its tag is tag().
  [[nodiscard]] const std::vector<int>& begin(const WorkPtr& work, std::size_t recipients_max,
                                              Instant now);
  [[nodiscard]] std::uint64_t tag() const { return tag_; }
  [[nodiscard]] bool any_open() const { return !open_.empty(); }

  // What became of a transaction. Recipients that have to be offered again (the host took only some)
  // are left; when the transaction was not attempted, all of them, in front.
  struct Ended {
    WorkPtr work;
    Instant began;
  };
  [[nodiscard]] Ended outcome(const smtp::TransactionOutcome& outcome);

 private:
  struct Open {
    std::uint64_t tag = 0;
    WorkPtr work;
    std::vector<int> offered;
    Instant began;
  };
  void offer_again(const WorkPtr& work);

  std::deque<WorkPtr> works_;  // not all recipients offered yet
  std::vector<Open> open_;
  std::uint64_t tag_ = 0;
};

}  // namespace godwit::sender
