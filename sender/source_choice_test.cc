#include "sender/source_choice.h"

#include <gtest/gtest.h>

#include <map>

namespace godwit::sender {
namespace {

DeliveryId delivery(int number) {
  std::string octets(16, '\0');
  SeededRandom random(static_cast<std::uint64_t>(number) + 1);
  random.fill(std::as_writable_bytes(std::span(octets)));
  return {*MessageId::from_octets(octets), 0};
}

const SourceUsable kAll = [](const SourceName&) { return true; };

control::Pool pool(std::initializer_list<std::pair<const char*, std::uint32_t>> members) {
  control::Pool pool;
  for (const auto& [name, weight] : members) pool.members.push_back({SourceName(name), weight});
  return pool;
}

std::map<std::string, int> spread(const control::Pool& over, int deliveries) {
  std::map<std::string, int> counts;
  for (int i = 0; i < deliveries; ++i) {
    const auto* member = choose_source(over, delivery(i), kAll);
    ++counts[member != nullptr ? member->source.text() : "none"];
  }
  return counts;
}

TEST(SourceChoice, AnEmptyPoolOrOneWithoutWeightHasNone) {
  EXPECT_EQ(choose_source(pool({}), delivery(1), kAll), nullptr);
  EXPECT_EQ(choose_source(pool({{"a", 0}, {"b", 0}}), delivery(1), kAll), nullptr);
  EXPECT_EQ(choose_source(pool({{"a", 1}}), delivery(1), [](const SourceName&) { return false; }),
            nullptr);
}

TEST(SourceChoice, FollowsTheWeights) {
  auto counts = spread(pool({{"a", 1}, {"b", 3}, {"c", 0}, {"d", 6}}), 10'000);
  EXPECT_NEAR(counts["a"], 1000, 150);
  EXPECT_NEAR(counts["b"], 3000, 250);
  EXPECT_NEAR(counts["d"], 6000, 250);
  EXPECT_EQ(counts.count("c"), 0U);
}

TEST(SourceChoice, ARetryLeavesFromTheSameSource) {
  const control::Pool three = pool({{"a", 1}, {"b", 1}, {"c", 1}});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(choose_source(three, delivery(i), kAll), choose_source(three, delivery(i), kAll));
  }
}

TEST(SourceChoice, OnlyTheMailOfALostSourceMoves) {
  const control::Pool three = pool({{"a", 1}, {"b", 1}, {"c", 1}});
  const auto without_b = [](const SourceName& name) { return name.text() != "b"; };
  for (int i = 0; i < 500; ++i) {
    const auto* before = choose_source(three, delivery(i), kAll);
    const auto* after = choose_source(three, delivery(i), without_b);
    ASSERT_NE(after, nullptr);
    if (before->source.text() != "b") EXPECT_EQ(before, after);
    EXPECT_NE(after->source.text(), "b");
  }
}

TEST(SourceChoice, FamiliesComeFromTheAddresses) {
  control::Source source;
  EXPECT_TRUE(sends_over_ipv4(source));
  EXPECT_FALSE(sends_over_ipv6(source));
  source.address6 = "2001:db8::1";
  EXPECT_FALSE(sends_over_ipv4(source));
  EXPECT_TRUE(sends_over_ipv6(source));
  source.address = "192.0.2.1";
  EXPECT_TRUE(sends_over_ipv4(source));
  EXPECT_TRUE(sends_over_ipv6(source));
}

}  // namespace
}  // namespace godwit::sender
