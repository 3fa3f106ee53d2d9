#include "sender/tenant_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace godwit::sender {
namespace {

const TenantName kAcme{"acme"};
const TenantName kBolt{"bolt"};
const TenantName kCorp{"corp"};

std::string pop(TenantQueue<std::string>& queue) {
  return queue.pop().value_or("-");
}

TEST(TenantQueue, EmptyGivesNothing) {
  TenantQueue<std::string> queue;
  EXPECT_EQ(queue.pop(), std::nullopt);
  for (const bool urgent : {true, false}) EXPECT_EQ(queue.pop_youngest(urgent), std::nullopt);
  EXPECT_TRUE(queue.empty());
}

TEST(TenantQueue, OneTenantIsServedInOrder) {
  TenantQueue<std::string> queue;
  for (const char* item : {"1", "2", "3"}) queue.push(kAcme, false, 1, item);
  EXPECT_EQ(pop(queue) + pop(queue) + pop(queue) + pop(queue), "123-");
}

TEST(TenantQueue, UrgentGoesFirst) {
  TenantQueue<std::string> queue;
  queue.push(kAcme, false, 1, "bulk");
  queue.push(kBolt, true, 1, "reset");
  EXPECT_TRUE(queue.has_urgent());
  EXPECT_EQ(pop(queue), "reset");
  EXPECT_FALSE(queue.has_urgent());
  EXPECT_EQ(pop(queue), "bulk");
}

TEST(TenantQueue, AnEarlyMillionDoesNotHoldUpThree) {
  TenantQueue<std::string> queue(4);
  for (int i = 0; i < 10'000; ++i) queue.push(kAcme, false, 1, "acme");
  for (int i = 0; i < 3; ++i) queue.push(kBolt, false, 1, "bolt");
  int before = 0;
  for (int bolts = 0; bolts < 3;) pop(queue) == "bolt" ? ++bolts : ++before;
  EXPECT_LE(before, 8);
}

TEST(TenantQueue, SharesAreEqualInCostNotInNumber) {
  TenantQueue<std::string> queue(4);
  for (int i = 0; i < 1000; ++i) {
    queue.push(kAcme, false, 1, "acme");
    queue.push(kBolt, false, 7, "bolt");  // more than a quantum
    queue.push(kCorp, false, 2, "corp");
  }
  std::map<std::string, int> served;
  for (int i = 0; i < 1000; ++i) ++served[pop(queue)];
  EXPECT_NEAR(served["acme"], 7 * served["bolt"], 20);
  EXPECT_NEAR(served["acme"], 2 * served["corp"], 20);
}

TEST(TenantQueue, WhatIsHandedBackIsNext) {
  TenantQueue<std::string> queue(1);
  for (const char* item : {"a1", "a2"}) queue.push(kAcme, false, 1, item);
  for (const char* item : {"b1", "b2"}) queue.push(kBolt, false, 1, item);
  const std::string first = pop(queue);
  queue.push_front(first[0] == 'a' ? kAcme : kBolt, false, 1, first);
  EXPECT_EQ(pop(queue), first);
  EXPECT_EQ(queue.size(), 3U);
  queue.push_front(kCorp, false, 9, "new");  // of a tenant that had nothing left
  EXPECT_EQ(pop(queue), "new");
}

TEST(TenantQueue, SetsAsideTheYoungestOfTheLongestFlowOfAClass) {
  TenantQueue<std::string> queue;
  for (const char* item : {"a1", "a2", "a3"}) queue.push(kAcme, false, 1, item);
  queue.push(kBolt, false, 1, "b1");
  for (const char* item : {"u1", "u2", "u3", "u4"}) queue.push(kBolt, true, 1, item);
  EXPECT_EQ(queue.pop_youngest(false), "a3");
  EXPECT_EQ(queue.pop_youngest(false), "a2");
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(queue.pop_youngest(false).value_or("u").find('1') == 1);
  }
  EXPECT_EQ(queue.pop_youngest(false), std::nullopt) << "urgent mail is of another class";
  EXPECT_EQ(queue.size(true), 4U);
  EXPECT_EQ(queue.pop_youngest(true), "u4");
  EXPECT_EQ(queue.size(true), 3U);
  EXPECT_EQ(queue.size(false), 0U);
  EXPECT_EQ(queue.size(), 3U);
}

}  // namespace
}  // namespace godwit::sender
