#include "common/log/kafka/eviction.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "common/log/errc.h"
#include "common/log/kafka/member.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

// What the members share out: one that joins with something else would make them begin anew.
Topic subscribed_topic(const std::vector<KafkaAdmin::Member>& members, const TopicNames& names) {
  for (const KafkaAdmin::Member& member : members) {
    for (const std::string& topic : member.topics) {
      if (const auto found = names.find(topic)) return *found;
    }
  }
  return Topic::kOutbound;
}

}  // namespace

Result<bool> evict_member(KafkaAdmin& admin, const KafkaOptions& options, const TopicNames& names,
                          const std::string& group, const std::string& node) {
  const Instant deadline = std::chrono::steady_clock::now() + kEvictionMax;
  const std::string group_id = names.prefix() + group;
  TRY(const auto members, admin.members(group_id));
  if (std::ranges::find(members, node, &KafkaAdmin::Member::node) == members.end()) return false;

  KafkaOptions as_node = options;
  as_node.node = node;
  std::atomic<bool> joined{false};
  TRY(const auto member, GroupMember::join(as_node, names,
                                           {.group = group,
                                            .subscribed = subscribed_topic(members, names),
                                            .assigned = [&joined](const auto&) { joined = true; },
                                            .revoked = [](const auto&, bool) {},
                                            .failed = [](const std::string&) {},
                                            .tick = [] { return false; }}));
  // One that is given nothing is told nothing: then being a member is enough.
  constexpr std::chrono::milliseconds kAssignmentPatience = 3s;
  constexpr std::chrono::milliseconds kLookAgain = 10ms;
  constexpr std::chrono::milliseconds kAnswerMin = 1s;
  std::optional<Instant> since;
  while (!joined && std::chrono::steady_clock::now() < deadline) {
    const Instant now = std::chrono::steady_clock::now();
    if (!since && member->is_member()) since = now;
    if (since && now - *since > kAssignmentPatience) break;
    std::this_thread::sleep_for(kLookAgain);
  }
  member->leave(deadline);
  member->stop();
  while (true) {
    const auto rest =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    TRY(const auto left, admin.members(group_id, std::max(rest, kAnswerMin)));
    if (std::ranges::find(left, node, &KafkaAdmin::Member::node) == left.end()) break;
    if (std::chrono::steady_clock::now() > deadline)
      return fail(Errc::kUnavailable, "the brokers still have " + node + " as a member");
    std::this_thread::sleep_for(kLookAgain);
  }
  kLog.info("a node was put out of a group", {{"group", group}, {"node", node}});
  return true;
}

}  // namespace godwit::log
