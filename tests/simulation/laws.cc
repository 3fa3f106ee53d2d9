#include "tests/simulation/laws.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/accounting/dead_list.h"
#include "common/audit/audit.h"
#include "common/base/check.h"
#include "common/record/event_view.h"
#include "common/record/records.h"
#include "tests/simulation/brokers.h"

namespace godwit::simulation {

using log::PartitionId;
using log::Topic;

namespace {

RecipientId recipient_of(const v1::Event& event) {
  return {MessageId::from_octets(event.message_id()).value_or(MessageId{}), event.index()};
}

}  // namespace

void Laws::breaks(std::string what) {
  world_.say("LAW", what);
  if (broken_.empty()) broken_ = std::move(what);
}

void Laws::owned(std::uint64_t life, const std::string& group, PartitionId partition) {
  if (group == "sender") holders_[partition] = {life, world_.now()};
}

void Laws::ended(std::uint64_t life, const std::string& group, PartitionId partition, bool lost) {
  if (group != "sender") return;
  lives_[life].ended[partition] = world_.now();
  if (lost) lives_[life].lost[partition] = world_.now();
}

void Laws::committed(std::uint64_t life, const log::Batch& batch) {
  for (const log::Append& append : batch.appends) {
    const bool moves =
        append.where.topic == Topic::kOutbound || append.where.topic == Topic::kOutboundUrgent;
    if (moves && world_.traced() && !batch.changes.empty()) {
      world_.say(lives_[life].name, fmt::format("committed: a delivery moves to partition {}",
                                                append.where.partition));
    }
    if (append.where.topic != Topic::kEvents) continue;
    const auto event = record::decode_event(append.value);
    CHECK(event.has_value(), "an event that cannot be read");
    if (event->head.held()) held_[event->addresses.recipient()] = event->head.attempt();
    if (!record::is_terminal(event->head)) continue;
    ended_.insert(recipient_of(event->head));
    if (world_.traced()) {
      world_.say(lives_[life].name,
                 fmt::format("committed: {} {}", record::event_type_name(event->head.type()),
                             event->addresses.recipient()));
    }
  }
}

std::optional<PartitionId> Laws::partition_of(const std::string& address) {
  // It may have moved meanwhile.
  for (const Topic topic : {Topic::kOutbound, Topic::kOutboundUrgent}) {
    for (PartitionId partition = 0; partition < brokers_->partitions(topic); ++partition) {
      const log::TopicPartition where{topic, partition};
      const auto fetched =
          brokers_->fetch(where, looked_at_[where], ~std::size_t{0}, ~std::size_t{0});
      looked_at_[where] = fetched.next;
      for (const auto& one : fetched.records) {
        const auto delivery = record::decode_delivery(one.record.value);
        if (!delivery || delivery->head.has_decision()) continue;
        for (const v1::Recipient& recipient : delivery->envelope.recipients()) {
          const auto [place, first] =
              places_.try_emplace(recipient.address(), Place{partition, one.record.time});
          if (!first && place->second.since <= one.record.time) {
            place->second = {partition, one.record.time};
          }
        }
      }
    }
  }
  const auto known = places_.find(address);
  return known == places_.end() ? std::nullopt : std::optional(known->second.partition);
}

void Laws::attempted(std::uint64_t life, const std::string& address) {
  ++attempts_;
  const Life& who = lives_[life];
  if (world_.traced()) world_.say(who.name, fmt::format("attempts {}", address));
  const auto partition = partition_of(address);
  if (!partition) {
    return breaks(fmt::format("{} attempts {}, which no delivery has", who.name, address));
  }
  const Holder& holder = holders_[*partition];
  const bool is_owner = holder.life == life || holder.since == world_.now();
  if (!is_owner) {
    breaks(fmt::format("{} attempts {} while {} owns partition {}", who.name, address,
                       lives_[holder.life].name, *partition));
  }
  // Unless it died, stood still, had no way to the brokers or was put out before it could write that down.
  const auto unknown = unknown_.find(address);
  if (unknown != unknown_.end() && world_.now() < unknown->second.at + kAfterUnknown) {
    const Life& gave_up = lives_[unknown->second.life];
    const auto lost = gave_up.lost.find(unknown->second.partition.value_or(0));
    const bool excused =
        gave_up.died || gave_up.stood_still || gave_up.cut_off ||
        (lost != gave_up.lost.end() && lost->second >= unknown->second.at - kAfterUnknown);
    if (!excused) {
      breaks(fmt::format("{} attempts {} soon after {} gave up waiting for its outcome", who.name,
                         address, gave_up.name));
    }
  }
  const auto held = held_.find(address);
  if (held != held_.end() && held->second > retried_[address]) {
    breaks(fmt::format("{} attempts {}, which is held since attempt {}", who.name, address,
                       held->second));
  }
  const auto promise = promises_.find(address);
  if (promise != promises_.end()) {
    if (ended_.contains(promise->second.recipient)) {
      breaks(fmt::format("{} attempts {}, whose end is committed", who.name, address));
    }
    const Timestamp now = world_.clock().now();
    if (now > promise->second.expires + kAgeSlack) {
      breaks(fmt::format("{} attempts {} beyond its age", who.name, address));
    }
  }
}

void Laws::given_up(std::uint64_t life, const std::string& address) {
  if (lives_[life].died) return;
  if (world_.traced())
    world_.say(lives_[life].name, fmt::format("gives up waiting for {}", address));
  unknown_[address] = {life, world_.now(), partition_of(address)};
}

void Laws::decided(const std::string& address, std::uint32_t attempt,
                   accounting::HeldDecision decision) {
  world_.say("operator",
             fmt::format("says {} of {}", accounting::decision_name(decision), address));
  if (decision == accounting::HeldDecision::kDelivered) said_.insert(address);
  if (decision != accounting::HeldDecision::kRetry) return;
  std::uint32_t& retried = retried_[address];
  retried = std::max(retried, attempt);
  unknown_.erase(address);
}

std::size_t Laws::taken(std::uint64_t life, const std::string& address, std::string_view content) {
  copies_.push_back({address, life, world_.now(), partition_of(address)});
  const auto promise = promises_.find(address);
  if (promise != promises_.end() && content != *promise->second.content) {
    breaks(fmt::format("{} is sent other content, {} octets", address, content.size()));
  }
  if (world_.traced())
    world_.say("host", fmt::format("takes {} from {}", address, lives_[life].name));
  return copies_.size() - 1;
}

bool Laws::all_ended(log::Log& log) const {
  const bool promised = std::ranges::all_of(promises_, [this](const auto& named) {
    return ended_.contains(named.second.recipient) || may_be_held(named.first);
  });
  if (!promised) return false;
  const auto report = audit::audit(log, {});
  return report &&
         report->pending_unrouted + report->pending_outbound + report->pending_parked == 0;
}

Timestamp Laws::last_expiry() const {
  Timestamp last{};
  for (const auto& [address, promise] : promises_) last = std::max(last, promise.expires);
  return last;
}

void Laws::judge(log::Log& log) {
  std::map<RecipientId, std::set<Ending>> endings;
  const auto read = log.history(Topic::kEvents, {}, [&](const log::HistoryRecord& one) {
    const auto event = record::decode_event(one.record.value);
    CHECK(event.has_value(), "an event that cannot be read");
    if (record::is_terminal(event->head)) {
      endings[recipient_of(event->head)].insert(
          {std::string(record::event_type_name(event->head.type())), event->head.node(),
           event->head.attempt(), event->head.time_unix_ms()});
    }
    return true;
  });
  CHECK(read.has_value(), "{}", read.error().to_string());
  std::size_t not_ended = 0;
  for (const auto& [address, promise] : promises_) {
    const auto found = endings.find(promise.recipient);
    if (found == endings.end() && may_be_held(address)) {
      ++not_ended;
    } else if (found == endings.end()) {
      breaks(fmt::format("{} was accepted and did not end", address));
    } else if (found->second.size() > 1) {
      std::string all;
      for (const Ending& one : found->second) {
        all += fmt::format(" {}/{} by {}", one.type, one.attempt, one.node);
      }
      breaks(fmt::format("{} ended {} times:{}", address, found->second.size(), all));
    }
  }
  judge_audit(log, not_ended);
  judge_dead(log);
  judge_copies(endings);
}

void Laws::judge_audit(log::Log& log, std::size_t not_ended) {
  const auto report = audit::audit(log, {});
  CHECK(report.has_value(), "{}", report.error().to_string());
  const std::uint64_t open =
      report->pending_unrouted + report->pending_outbound + report->pending_parked;
  // What a customer heard nothing of may be held too.
  const bool held = poisoned_.empty() ? report->held == 0 : report->held >= not_ended;
  // What is in `accepted` is read there and in `dead`.
  const auto twice = std::ranges::count_if(garbage_, [](const log::RecordPosition& at) {
    return at.where.topic == Topic::kAccepted || at.where.topic == Topic::kAcceptedUrgent;
  });
  const std::uint64_t unreadable = garbage_.size() + static_cast<std::uint64_t>(twice);
  if (!report->clean() || open > 0 || !held || report->unreadable_records != unreadable ||
      report->outside > 0) {
    breaks("the audit: " + audit::to_json(*report));
  }
}

void Laws::judge_dead(log::Log& log) {
  std::set<log::RecordPosition> missing = garbage_;
  const auto read = accounting::visit_dead(log, [&](const accounting::DeadEntry& entry) {
    CHECK(entry.dead.has_value() && entry.complete, "a row of dead that cannot be read");
    const v1::DeadRecord& head = entry.dead->head;
    const log::RecordPosition at{{static_cast<Topic>(head.topic()), head.partition()},
                                 head.offset()};
    if (head.crashes() == 0 && missing.erase(at) == 0) {
      breaks(fmt::format("{} is dead: {}", entry.row.record.key, head.cause()));
    }
    return true;
  });
  CHECK(read.has_value(), "{}", read.error().to_string());
  for (const log::RecordPosition& at : missing) {
    breaks(fmt::format("{}/{}/{} cannot be read and is not dead", log::topic_name(at.where.topic),
                       at.where.partition, at.offset));
  }
}

void Laws::judge_copies(const std::map<RecipientId, std::set<Ending>>& endings) {
  for (const auto& [address, promise] : promises_) {
    const auto found = endings.find(promise.recipient);
    if (found == endings.end()) continue;
    std::vector<const Copy*> copies;
    for (const Copy& copy : copies_) {
      if (copy.address == address) copies.push_back(&copy);
    }
    const auto delivered = std::ranges::find(found->second, "delivered", &Ending::type);
    const bool is_delivered = delivered != found->second.end();
    if (is_delivered && copies.empty() && !said_.contains(address)) {
      breaks(fmt::format("{} is delivered, and no host has it", address));
    }
    // What the event is about: nothing is attempted after it.
    const auto settled =
        std::ranges::find_if(copies.rbegin(), copies.rend(), [&](const Copy* copy) {
          return is_delivered && copy->heard && lives_[copy->life].name == delivered->node;
        });
    for (const Copy* copy : copies) {
      const Life& life = lives_[copy->life];
      if (settled != copies.rend() && copy == *settled) continue;
      const log::PartitionId partition = copy->partition.value_or(0);
      const auto ended = life.ended.find(partition);
      const auto lost = life.lost.find(partition);
      const bool excused = !copy->heard || life.died ||
                           (life.stood_still && *life.stood_still >= copy->at) ||
                           (lost != life.lost.end() && lost->second >= copy->at) ||
                           (life.cut_off && ended != life.ended.end() && ended->second >= copy->at);
      if (!excused) {
        breaks(fmt::format("{} took {}, was heard, and it is not what ended", life.name, address));
      }
    }
  }
}

Laws::Counts Laws::counts() const {
  Counts counts{.promised = promises_.size(), .copies = copies_.size(), .attempts = attempts_};
  std::set<std::string> seen;
  for (const Copy& copy : copies_) counts.second_copies += seen.insert(copy.address).second ? 0 : 1;
  return counts;
}

}  // namespace godwit::simulation
