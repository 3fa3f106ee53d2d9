#include "common/audit/ledger.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/audit/fact.h"
#include "common/audit/fact_sorter.h"

namespace godwit::audit {
namespace {

// FNV-1a over who and when, folded to 32 bits. Two different outcomes look alike once in four billion.
std::uint32_t origin_hash(std::string_view origin, Timestamp time) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&](std::uint8_t octet) { hash = (hash ^ octet) * 0x100000001b3; };
  for (const char c : origin) mix(static_cast<std::uint8_t>(c));
  mix(0);
  const auto ms = static_cast<std::uint64_t>(to_unix_ms(time));
  for (int shift = 0; shift < 64; shift += 8) mix(static_cast<std::uint8_t>(ms >> shift));
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

// Takes facts in order and judges each recipient when its last one is there.
class Judge {
 public:
  Judge(Report& report, std::size_t exceptions_max)
      : report_(report), exceptions_max_(exceptions_max) {}

  void take(const Fact& fact) {
    if (!last_ || !fact.same_message(*last_)) {
      finish();
      message_held_ = false;
    } else if (fact.level == 1 && last_->level == 1 && fact.index != last_->index) {
      finish();
    }
    if (fact.level == 0) {
      message_held_ = true;
    } else {
      note(fact);
    }
    last_ = fact;
  }

  void finish() {
    if (last_ && last_->level == 1) judge(last_->recipient());
    standing_ = {};
  }

 private:
  struct Standing {
    bool accepted = false;
    bool held = false;
    std::optional<Stage> pending;  // the furthest
    std::vector<Fact> endings;     // different ones, at most kEndingsMax
  };
  static constexpr std::size_t kEndingsMax = 16;  // of one recipient that are told apart

  void note(const Fact& fact) {
    switch (fact.kind) {
      case Fact::Kind::kAccepted: standing_.accepted = true; break;
      case Fact::Kind::kHeld: standing_.held = true; break;
      case Fact::Kind::kPending: standing_.pending = static_cast<Stage>(fact.detail); break;
      case Fact::Kind::kEnded:
        if (!standing_.endings.empty() && standing_.endings.back() == fact) {
          ++report_.repeated_records;
        } else if (standing_.endings.size() < kEndingsMax) {
          standing_.endings.push_back(fact);
        }
        break;
      case Fact::Kind::kHeldAll: break;
    }
  }

  void judge(const RecipientId& recipient) {
    if (standing_.accepted) {
      ++report_.accepted;
    } else {
      ++report_.outside;
    }
    if (!standing_.endings.empty() && (standing_.pending || standing_.held)) {
      ++report_.ended_and_queued;
    }
    if (standing_.endings.size() > 1) {
      ++report_.doubled;
      if (!standing_.accepted) ++report_.doubled_outside;
      name(Exception::Kind::kDoubled, recipient);
    } else if (standing_.accepted) {
      count(recipient);
    }
  }

  void count(const RecipientId& recipient) {
    if (standing_.endings.size() == 1) {
      ++ended(static_cast<Ending>(standing_.endings.front().detail));
    } else if (standing_.pending) {
      switch (*standing_.pending) {
        case Stage::kUnrouted: ++report_.pending_unrouted; break;
        case Stage::kOutbound: ++report_.pending_outbound; break;
        case Stage::kParked: ++report_.pending_parked; break;
      }
    } else if (standing_.held || message_held_) {
      ++report_.held;
    } else {
      ++report_.missing;
      name(Exception::Kind::kMissing, recipient);
    }
  }

  std::uint64_t& ended(Ending ending) {
    switch (ending) {
      case Ending::kDelivered: break;
      case Ending::kBounced: return report_.bounced;
      case Ending::kExpired: return report_.expired;
      case Ending::kSuppressed: return report_.suppressed;
      case Ending::kCancelled: return report_.cancelled;
    }
    return report_.delivered;
  }

  void name(Exception::Kind kind, const RecipientId& recipient) {
    if (report_.exceptions.size() >= exceptions_max_) return;
    Exception exception{kind, recipient, {}};
    for (const Fact& fact : standing_.endings) {
      exception.endings.push_back({static_cast<Ending>(fact.detail), fact.attempt});
    }
    report_.exceptions.push_back(std::move(exception));
  }

  Report& report_;
  std::size_t exceptions_max_;
  std::optional<Fact> last_;
  bool message_held_ = false;
  Standing standing_;
};

}  // namespace

struct Ledger::State {
  explicit State(LedgerLimits limits)
      : exceptions_max(limits.exceptions_max),
        sorter(limits.memory_bytes_max, std::move(limits.spill_directory)) {}

  std::size_t exceptions_max;
  FactSorter sorter;
  Report report;
};

Ledger::Ledger(LedgerLimits limits) : state_(std::make_unique<State>(std::move(limits))) {}
Ledger::~Ledger() = default;
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;

Result<void> Ledger::accepted(RecipientId recipient) {
  return state_->sorter.add(Fact::of(recipient, Fact::Kind::kAccepted));
}

Result<void> Ledger::ended(RecipientId recipient, const EndingFact& ending) {
  Fact fact = Fact::of(recipient, Fact::Kind::kEnded);
  fact.detail = static_cast<std::uint8_t>(ending.ending);
  fact.attempt = ending.attempt;
  fact.origin = origin_hash(ending.origin, ending.time);
  return state_->sorter.add(fact);
}

Result<void> Ledger::pending(RecipientId recipient, Stage stage) {
  Fact fact = Fact::of(recipient, Fact::Kind::kPending);
  fact.detail = static_cast<std::uint8_t>(stage);
  return state_->sorter.add(fact);
}

Result<void> Ledger::held(RecipientId recipient) {
  return state_->sorter.add(Fact::of(recipient, Fact::Kind::kHeld));
}

Result<void> Ledger::held_all(MessageId message) {
  Fact fact = Fact::of({message, 0}, Fact::Kind::kHeldAll);
  fact.level = 0;
  return state_->sorter.add(fact);
}

void Ledger::late_bounce() {
  ++state_->report.late_bounces;
}
void Ledger::unreadable() {
  ++state_->report.unreadable_records;
}

Result<Report> Ledger::settle() && {
  Judge judge(state_->report, state_->exceptions_max);
  TRY_VOID(state_->sorter.drain([&](const Fact& fact) { judge.take(fact); }));
  judge.finish();
  return std::move(state_->report);
}

}  // namespace godwit::audit
