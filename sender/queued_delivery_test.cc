#include "sender/queued_delivery.h"

#include <gtest/gtest.h>

#include <vector>

#include "sender/content_budget.h"

namespace godwit::sender {
namespace {

TEST(DeliveryKeeper, WhatIsKeptHoldsNothingOfOthers) {
  observe::Metrics metrics;
  ContentBudget budget(1000, metrics);
  DeliveryPtr delivery = make_delivery();
  const QueuedDelivery* const first = delivery.get();
  delivery->slot = WindowSlot{log::Topic::kOutbound, 7};
  delivery->returns = 2;
  delivery->row_throttled = true;
  delivery->memory = budget.try_take(100);
  const auto owner = std::make_shared<const int>(0);
  delivery->content = Rope(Bytes(owner, "content"));
  delivery->record.data = Rope(Bytes(owner, "inline"));
  EXPECT_EQ(budget.bytes(), 100U);

  delivery.reset();
  EXPECT_EQ(budget.bytes(), 0U);
  EXPECT_EQ(owner.use_count(), 1);

  delivery = make_delivery();
  EXPECT_EQ(delivery.get(), first) << "it was not kept";
  EXPECT_FALSE(delivery->slot);
  EXPECT_EQ(delivery->returns, 0U);
  EXPECT_FALSE(delivery->row_throttled);
  EXPECT_FALSE(delivery->memory);
  EXPECT_TRUE(delivery->content.empty());
}

TEST(DeliveryKeeper, KeepsSoManyAndNoMore) {
  std::vector<DeliveryPtr> many;
  for (int i = 0; i < 1000; ++i) many.push_back(make_delivery());
  many.clear();  // leaks and double frees are the sanitizers' to find
  for (int i = 0; i < 1000; ++i) many.push_back(make_delivery());
}

}  // namespace
}  // namespace godwit::sender
