// The role with little memory for content.

#include "sender/role_test_support.h"

#include <atomic>
#include <thread>

namespace godwit::sender {
namespace {

class SenderWithLittleMemory : public testing::Test {
 protected:
  SenderWithLittleMemory() {
    system_.config.content_memory = Mail{}.content.size();  // of one mail
    system_.route_all_to(peer_.port());
  }

  std::atomic<int> open_{0};  // transactions
  std::atomic<int> open_max_{0};
  std::atomic<int> deferrals_{0};  // so many mails are answered with 450 at the dot
  FakePeer peer_{[this](Stage stage, const std::string&, int) -> std::string {
    if (stage == Stage::kMail) {
      const int open = ++open_;
      if (open > open_max_) open_max_ = open;
    }
    if (stage == Stage::kDot) {
      std::this_thread::yield();
      --open_;
      if (deferrals_-- > 0) return "450 4.2.0 later";
    }
    return {};
  }};
  FakeMailSystem system_{2};
};

TEST_F(SenderWithLittleMemory, OneMailAtATimeOverAllConnectionsAndPartitions) {
  system_.start();
  for (int i = 0; i < 60; ++i) {
    system_.put({.domain = std::string(1, static_cast<char>('a' + i % 6)) + ".example",
                 .partition = static_cast<log::PartitionId>(i % 2)});
  }
  EVENTUALLY(system_.count(v1::DELIVERED) == 60);
  EXPECT_EQ(open_max_, 1);
}

TEST_F(SenderWithLittleMemory, WhatIsDeferredIsParkedAndComesBack) {
  deferrals_ = 20;
  system_.config.retry = {.first = 20ms, .factor = 1, .jitter = 0};
  system_.start();
  for (int i = 0; i < 30; ++i) system_.put({.partition = static_cast<log::PartitionId>(i % 2)});
  EVENTUALLY(system_.count(v1::DELIVERED) == 30);
  EVENTUALLY(system_.retries().empty());
  EXPECT_EQ(open_max_, 1);
}

TEST_F(SenderWithLittleMemory, ManyAreParkedWithoutAnAttempt) {
  system_.start();
  for (int i = 0; i < 30; ++i) system_.put({.due_in = 1h});
  EVENTUALLY(system_.parked().size() == 30);
}

// Many deliveries of one message, at the same time: what they refer to is read once.
TEST(SenderRole, ABodyIsReadOnceForAllWhoNeedIt) {
  constexpr int kDeliveries = 20;
  std::atomic<int> at_data = 0;
  FakePeer peer([&](Stage stage, const std::string&, int) {
    if (stage == Stage::kData) {
      ++at_data;
      (void)FakeMailSystem::eventually([&] { return at_data >= kDeliveries; });
    }
    return std::string();
  });
  std::string content = "Subject: large\r\n\r\n";
  while (content.size() < 700'000) content += "0123456789012345678901234567890123456789\r\n";
  FakeMailSystem system;
  system.config.content_memory = content.size();  // room for one
  system.route_all_to(peer.port());
  const MessageId id = system.put({.content = content, .in_bodies = true});
  for (int i = 1; i < kDeliveries; ++i) {
    system.put_copy(id, static_cast<std::uint32_t>(i), fmt::format("d{}.example", i));
  }
  system.start();
  EVENTUALLY(system.count(v1::DELIVERED) == kDeliveries);
  for (const auto& mail : peer.mails()) EXPECT_EQ(mail.content, content);
  EXPECT_EQ(system.metric("godwit_sender_bodies_read_total"), 1);
  EVENTUALLY(system.metric("godwit_sender_content_bytes") == 0);
  // Nobody has it any more.
  system.put_copy(id, kDeliveries, "later.example");
  EVENTUALLY(system.count(v1::DELIVERED) == kDeliveries + 1);
  EXPECT_EQ(system.metric("godwit_sender_bodies_read_total"), 2);
}

}  // namespace
}  // namespace godwit::sender
