// A member of a group and its place there, on a real broker.

#include "common/log/kafka/member.h"

#include <condition_variable>
#include <mutex>
#include <set>

#include "common/log/kafka/kafka_test_support.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

// A process's place in the group, and what it was told. It never gives anything back.
class Place {
 public:
  Place(const KafkaOptions& options, const std::string& name, const TopicNames& names) {
    KafkaOptions own = options;
    own.node = name;
    member_ = GroupMember::join(
                  own, names,
                  {.group = "sender",
                   .subscribed = Topic::kOutbound,
                   .assigned = [this](const auto& partitions) { told(partitions, {}); },
                   .revoked = [this](const auto& partitions, bool) { told({}, partitions); },
                   .failed = [](const std::string& problem) { ADD_FAILURE() << problem; },
                   .tick = [] { return false; }})
                  .value();
  }
  ~Place() { die(); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  // What it has, once it has been told something, and has so many.
  std::set<PartitionId> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return told_ && mine_.size() == count; }));
    return mine_;
  }
  std::set<PartitionId> has() {
    const std::lock_guard lock(mutex_);
    return mine_;
  }
  // Whether it is a member still.
  bool leave() {
    member_->leave(std::chrono::steady_clock::now() + kPatience);
    return member_->is_member();
  }
  // A static member says nothing when it is closed: for the broker it is as if it were killed.
  void die() { member_->stop(); }

 private:
  void told(const std::vector<PartitionId>& more, const std::vector<PartitionId>& less) {
    const std::lock_guard lock(mutex_);
    told_ = true;
    mine_.insert(more.begin(), more.end());
    for (const PartitionId partition : less) mine_.erase(partition);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<PartitionId> mine_;
  bool told_ = false;
  std::unique_ptr<GroupMember> member_;
};

// The broker gives a static member that comes back what it had been given last, without a rebalance; and what it was to
// give back others get only in the rebalance after that.
TEST(GroupMemberTest, WhatADeadMemberHadToGiveBackGetsAnOwnerWhenItComesBack) {
  KafkaNode topics(fresh_prefix("orphans"), "topics");
  topics.options.partitions = 4;
  topics.open();
  const TopicNames names(topics.options.topic_prefix);
  auto a = std::make_unique<Place>(topics.options, "a", names);
  (void)a->wait_for(4);
  Place b(topics.options, "b", names);
  const std::set<PartitionId> kept = a->wait_for(2);
  (void)b.wait_for(0);
  a = nullptr;
  EXPECT_EQ(b.has().size(), 0u);

  a = std::make_unique<Place>(topics.options, "a", names);
  EXPECT_EQ(a->wait_for(2), kept);
  std::set<PartitionId> all = b.wait_for(2);
  all.insert(kept.begin(), kept.end());
  EXPECT_EQ(all.size(), 4u);
  EXPECT_EQ(a->has(), kept);
}

// It is just about to join again, and does not.
TEST(GroupMemberTest, WhoLeavesAsSoonAsItCameIsAMemberNoMore) {
  KafkaNode topics(fresh_prefix("leavers"), "topics");
  topics.open();
  const TopicNames names(topics.options.topic_prefix);
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) {
    Place place(topics.options, "n" + std::to_string(i), names);
    (void)place.wait_for(2);
    EXPECT_FALSE(place.leave());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - started, topics.options.session_timeout);
}

}  // namespace
}  // namespace godwit::log
