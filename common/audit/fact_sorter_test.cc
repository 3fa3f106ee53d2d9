#include "common/audit/fact_sorter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/audit/errc.h"
#include "common/base/random.h"

namespace godwit::audit {
namespace {

Fact random_fact(Random& random) {
  Fact fact;
  // Few values of each, so that facts meet and repeat.
  for (auto& octet : fact.message) octet = static_cast<std::uint8_t>(random.below(2) * 255);
  fact.index = static_cast<std::uint32_t>(random.below(3));
  fact.kind = static_cast<Fact::Kind>(random.below(5));
  fact.detail = static_cast<std::uint8_t>(random.below(2));
  fact.attempt = static_cast<std::uint32_t>(random.below(2));
  fact.origin = static_cast<std::uint32_t>(random.next());
  return fact;
}

struct Case {
  std::size_t facts;
  std::size_t memory_bytes;
  bool spills;
};

class FactSorterSizes : public testing::TestWithParam<Case> {};

TEST_P(FactSorterSizes, GivesBackEveryFactInOrder) {
  SeededRandom random(7);
  std::vector<Fact> facts(GetParam().facts);
  std::ranges::generate(facts, [&] { return random_fact(random); });

  FactSorter sorter(GetParam().memory_bytes, {});
  for (const Fact& fact : facts) ASSERT_TRUE(sorter.add(fact));
  EXPECT_EQ(sorter.runs() > 0, GetParam().spills);
  std::vector<Fact> sorted;
  ASSERT_TRUE(sorter.drain([&](const Fact& fact) { sorted.push_back(fact); }));

  std::ranges::sort(facts);
  EXPECT_EQ(sorted, facts);
}

INSTANTIATE_TEST_SUITE_P(Sizes, FactSorterSizes,
                         testing::Values(Case{0, 0, false}, Case{1, 0, false}, Case{511, 0, false},
                                         Case{513, 0, true}, Case{10'000, 0, true},
                                         Case{10'000, 1 << 20, false},
                                         // Runs longer than the buffer they are merged through.
                                         Case{30'000, 256 << 10, true}));

TEST(FactSorter, SaysWhichDirectoryDoesNotTakeItsFile) {
  FactSorter sorter(0, "/nonexistent/godwit");
  Result<void> added;
  for (int i = 0; i < 2'000 && added; ++i) added = sorter.add(Fact{});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, Errc::kSpill);
  EXPECT_NE(added.error().context.find("/nonexistent/godwit"), std::string::npos);
}

}  // namespace
}  // namespace godwit::audit
