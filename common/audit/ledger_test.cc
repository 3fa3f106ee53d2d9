#include "common/audit/ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "common/base/manual_clock.h"
#include "common/base/random.h"

namespace godwit::audit {
namespace {

MessageId message(int number) {
  std::string octets(16, '\0');
  octets[0] = static_cast<char>(number >> 8);
  octets[1] = static_cast<char>(number);
  octets[15] = static_cast<char>(number * 7);
  return *MessageId::from_octets(octets);
}

RecipientId recipient(int number, std::uint32_t index = 0) {
  return {message(number), index};
}

Ledger::EndingFact ending(Ending what, std::uint32_t attempt, std::string_view node = "a",
                          std::int64_t at = 1'000) {
  return {.ending = what, .attempt = attempt, .origin = node, .time = from_unix_ms(at)};
}

// One fact, said to the ledger.
using Say = std::function<Result<void>(Ledger&)>;

Say accepted(RecipientId id = recipient(1)) {
  return [=](Ledger& ledger) { return ledger.accepted(id); };
}
Say ended(Ledger::EndingFact fact, RecipientId id = recipient(1)) {
  return [=](Ledger& ledger) { return ledger.ended(id, fact); };
}
Say pending(Stage stage, RecipientId id = recipient(1)) {
  return [=](Ledger& ledger) { return ledger.pending(id, stage); };
}
Say held(RecipientId id = recipient(1)) {
  return [=](Ledger& ledger) { return ledger.held(id); };
}
Say held_all(int number = 1) {
  return [=](Ledger& ledger) { return ledger.held_all(message(number)); };
}

struct Case {
  const char* name;
  std::vector<Say> facts;
  Report expected;  // its exceptions are looked at on their own
};

std::vector<Case> cases() {
  const auto delivered = ending(Ending::kDelivered, 1);
  return {
      {"Nothing", {}, {}},
      {"Delivered", {accepted(), ended(delivered)}, {.accepted = 1, .delivered = 1}},
      {"Bounced", {accepted(), ended(ending(Ending::kBounced, 2))}, {.accepted = 1, .bounced = 1}},
      {"Expired", {accepted(), ended(ending(Ending::kExpired, 9))}, {.accepted = 1, .expired = 1}},
      {"Suppressed",
       {accepted(), ended(ending(Ending::kSuppressed, 0))},
       {.accepted = 1, .suppressed = 1}},
      {"Cancelled",
       {accepted(), ended(ending(Ending::kCancelled, 0))},
       {.accepted = 1, .cancelled = 1}},
      {"AcceptedRecordTwice",
       {accepted(), accepted(), ended(delivered)},
       {.accepted = 1, .delivered = 1}},

      {"Missing", {accepted()}, {.accepted = 1, .missing = 1}},
      {"EventDeleted",
       {accepted(), accepted(recipient(2)), ended(delivered, recipient(2))},
       {.accepted = 2, .delivered = 1, .missing = 1}},
      {"OneOfTwoRecipientsMissing",
       {accepted(), accepted(recipient(1, 1)), ended(delivered, recipient(1, 1))},
       {.accepted = 2, .delivered = 1, .missing = 1}},

      {"TwoAttempts",
       {accepted(), ended(delivered), ended(ending(Ending::kDelivered, 2))},
       {.accepted = 1, .doubled = 1}},
      {"TwoNodes",
       {accepted(), ended(delivered), ended(ending(Ending::kDelivered, 1, "b"))},
       {.accepted = 1, .doubled = 1}},
      {"TwoEndingsOfOneAttempt",
       {accepted(), ended(delivered), ended(ending(Ending::kBounced, 1))},
       {.accepted = 1, .doubled = 1}},
      // The same number, but another moment: it was tried twice and counted once.
      {"SameAttemptAtAnotherTime",
       {accepted(), ended(delivered), ended(ending(Ending::kDelivered, 1, "a", 2'000))},
       {.accepted = 1, .doubled = 1}},
      {"ThreeTimesIsOneDoubledRecipient",
       {accepted(), ended(delivered), ended(ending(Ending::kDelivered, 2)),
        ended(ending(Ending::kDelivered, 3))},
       {.accepted = 1, .doubled = 1}},
      {"SameEventWrittenTwice",
       {accepted(), ended(delivered), ended(delivered)},
       {.accepted = 1, .delivered = 1, .repeated_records = 1}},
      {"SameEventWrittenTwiceAndAnother",
       {accepted(), ended(delivered), ended(ending(Ending::kExpired, 1)), ended(delivered)},
       {.accepted = 1, .doubled = 1, .repeated_records = 1}},

      {"Unrouted", {accepted(), pending(Stage::kUnrouted)}, {.accepted = 1, .pending_unrouted = 1}},
      {"Outbound", {accepted(), pending(Stage::kOutbound)}, {.accepted = 1, .pending_outbound = 1}},
      {"Parked", {accepted(), pending(Stage::kParked)}, {.accepted = 1, .pending_parked = 1}},
      {"MovedOnWhileItWasRead",
       {accepted(), pending(Stage::kUnrouted), pending(Stage::kParked), pending(Stage::kOutbound)},
       {.accepted = 1, .pending_parked = 1}},
      {"EndedWhileItWasRead",
       {accepted(), pending(Stage::kUnrouted), ended(delivered)},
       {.accepted = 1, .delivered = 1, .ended_and_queued = 1}},

      {"Held", {accepted(), held()}, {.accepted = 1, .held = 1}},
      {"HeldAndRetried",
       {accepted(), held(), pending(Stage::kOutbound)},
       {.accepted = 1, .pending_outbound = 1}},
      {"HeldThenEnded",
       {accepted(), held(), ended(ending(Ending::kExpired, 0))},
       {.accepted = 1, .expired = 1, .ended_and_queued = 1}},
      {"HeldByItsMessage",
       {accepted(), accepted(recipient(1, 1)), ended(delivered), held_all(),
        accepted(recipient(2))},
       {.accepted = 3, .delivered = 1, .held = 1, .missing = 1}},
      {"HeldMessageNobodyKnows", {held_all()}, {}},

      {"OutsideTheWindow", {ended(delivered)}, {.outside = 1}},
      {"PendingOutsideTheWindow", {pending(Stage::kParked)}, {.outside = 1}},
      {"DoubledOutsideTheWindow",
       {ended(delivered), ended(ending(Ending::kDelivered, 2))},
       {.doubled = 1, .doubled_outside = 1, .outside = 1}},
  };
}

Report settled(const std::vector<Say>& facts) {
  Ledger ledger;
  for (const Say& say : facts) EXPECT_TRUE(say(ledger));
  auto report = std::move(ledger).settle();
  EXPECT_TRUE(report);
  return *report;
}

class LedgerCases : public testing::TestWithParam<Case> {};

TEST_P(LedgerCases, JudgesInEveryOrder) {
  std::vector<std::size_t> order(GetParam().facts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  do {
    std::vector<Say> facts;
    for (const std::size_t i : order) facts.push_back(GetParam().facts[i]);
    Report report = settled(facts);
    EXPECT_EQ(report.exceptions.size(), report.exceptions_total());
    EXPECT_EQ(report.clean(), report.exceptions.empty());
    report.exceptions.clear();
    EXPECT_EQ(to_json(report), to_json(GetParam().expected));
  } while (std::ranges::next_permutation(order).found);
}

INSTANTIATE_TEST_SUITE_P(Cases, LedgerCases, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(Ledger, NamesExceptionsInOrderWithWhatWasSeen) {
  const Report report = settled({
      accepted(recipient(3)),
      accepted(recipient(2, 4)),
      ended(ending(Ending::kBounced, 2), recipient(2, 4)),
      ended(ending(Ending::kDelivered, 1), recipient(2, 4)),
  });
  const std::vector<Exception> expected{{Exception::Kind::kDoubled,
                                         recipient(2, 4),
                                         {{Ending::kDelivered, 1}, {Ending::kBounced, 2}}},
                                        {Exception::Kind::kMissing, recipient(3), {}}};
  EXPECT_EQ(report.exceptions, expected);
}

TEST(Ledger, NamesNoMoreThanItWasAskedFor) {
  Ledger ledger({.exceptions_max = 2});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(ledger.accepted(recipient(i)));
  const auto report = std::move(ledger).settle();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->missing, 5u);
  EXPECT_EQ(report->exceptions.size(), 2u);
}

TEST(Ledger, CountsLateBouncesAndUnreadableRecords) {
  Ledger ledger;
  ledger.late_bounce();
  ledger.unreadable();
  ledger.unreadable();
  const auto report = std::move(ledger).settle();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->late_bounces, 1u);
  EXPECT_EQ(report->unreadable_records, 2u);
  EXPECT_TRUE(report->clean());
}

// A history of many recipients whose fate is known, told in a random order to a ledger that must spill.
class LedgerHistories : public testing::TestWithParam<std::uint64_t> {};

TEST_P(LedgerHistories, AgreesWithWhatHappened) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  SeededRandom random(GetParam());
  Report expected;
  std::set<RecipientId> exceptions;
  std::vector<Say> facts;

  for (int i = 0; i < 5'000; ++i) {
    const RecipientId id = recipient(i / 4, static_cast<std::uint32_t>(i % 4));
    facts.push_back(accepted(id));
    ++expected.accepted;
    const auto attempt = static_cast<std::uint32_t>(random.below(5));
    switch (random.below(8)) {
      case 0:
        ++expected.missing;
        exceptions.insert(id);
        break;
      case 1:
        facts.push_back(ended(ending(Ending::kDelivered, attempt), id));
        facts.push_back(ended(ending(Ending::kDelivered, attempt + 1), id));
        ++expected.doubled;
        exceptions.insert(id);
        break;
      case 2:
        facts.push_back(ended(ending(Ending::kBounced, attempt), id));
        facts.push_back(ended(ending(Ending::kBounced, attempt), id));
        ++expected.repeated_records;
        ++expected.bounced;
        break;
      case 3:
        facts.push_back(pending(Stage::kParked, id));
        ++expected.pending_parked;
        break;
      case 4:
        facts.push_back(held(id));
        ++expected.held;
        break;
      case 5:
        facts.push_back(ended(ending(Ending::kExpired, attempt), id));
        ++expected.expired;
        break;
      default:
        facts.push_back(ended(ending(Ending::kDelivered, attempt), id));
        ++expected.delivered;
    }
  }
  for (std::size_t i = facts.size(); i > 1; --i) std::swap(facts[i - 1], facts[random.below(i)]);

  Ledger ledger({.memory_bytes_max = 32 << 10, .exceptions_max = 10'000});
  for (const Say& say : facts) ASSERT_TRUE(say(ledger));
  auto report = std::move(ledger).settle();
  ASSERT_TRUE(report);
  std::set<RecipientId> named;
  for (const Exception& exception : report->exceptions) named.insert(exception.recipient);
  EXPECT_EQ(named, exceptions);
  report->exceptions.clear();
  EXPECT_EQ(to_json(*report), to_json(expected));
}

INSTANTIATE_TEST_SUITE_P(Seeds, LedgerHistories, testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace godwit::audit
