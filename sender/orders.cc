#include "sender/orders.h"

#include <algorithm>

#include "sender/settlement.h"

namespace godwit::sender {

using commands::Command;
using commands::CommandSet;
using commands::Kind;

commands::Subject subject_of(const QueuedDelivery& delivery) {
  const v1::Delivery& head = delivery.record.head;
  return {.tenant = head.tenant(),
          .domain = head.domain(),
          .site = head.site(),
          .pool = head.pool(),
          .urgent = delivery.urgent(),
          .message = delivery.id.message,
          .accepted = delivery.accepted(),
          .tags = {head.tags().begin(), head.tags().end()}};
}

commands::Subject subject_of(const LaneEntry& entry) {
  return {.tenant = entry.tenant,
          .domain = entry.domain,
          .site = entry.lane.site.text(),
          .pool = entry.lane.pool.text(),
          .urgent = entry.urgent,
          .message = entry.id.message,
          .accepted = entry.accepted,
          .tags = {entry.tags.begin(), entry.tags.end()}};
}

namespace {

// With no source left it waits as if it were suspended itself: in the table, and not in memory.
const Command* decides(const CommandSet& set, const control::Snapshot& control,
                       const commands::Subject& subject, Timestamp now) {
  if (const Command* said = set.verdict(subject, now)) return said;
  if (!set.any_source()) return nullptr;
  const control::Pool* pool = control.pool(subject.pool);
  if (pool == nullptr) return nullptr;
  const Command* said = nullptr;
  for (const control::PoolMember& member : pool->members) {
    if (member.weight == 0) continue;
    said = set.barred(subject, member.source.text(), now);
    if (said == nullptr) return nullptr;
  }
  return said;
}

}  // namespace

Orders::Orders(commands::View& view, const control::View& control, const Clock& clock,
               log::PartitionId partition)
    : view_(view), control_(control), clock_(clock), partition_(partition) {
  refresh();
}

// The version first: a set that comes between the two is looked at once more, never missed.
void Orders::refresh() {
  const std::uint64_t version = view_.version();
  if (set_ && version == version_) return;
  version_ = version;
  set_ = view_.current();
}

commands::CommandSetPtr Orders::current() {
  refresh();
  return set_;
}

bool Orders::changed() {
  refresh();
  const std::size_t ended = set_->ended(clock_.now());
  const std::uint64_t control = set_->any_source() ? control_.current()->version : 0;
  if (version_ == seen_version_ && ended == seen_ended_ && control == seen_control_) return false;
  seen_control_ = control;
  seen_version_ = version_;
  seen_ended_ = ended;
  return true;
}

const Command* Orders::verdict(const QueuedDelivery& delivery) {
  refresh();
  if (set_->empty() || all_held(delivery.record.envelope)) return nullptr;
  return decides(*set_, *control_.current(), subject_of(delivery), clock_.now());
}

bool Orders::barred(const QueuedDelivery& delivery, const SourceName& source) {
  refresh();
  return set_->any_source() &&
         set_->barred(subject_of(delivery), source.text(), clock_.now()) != nullptr;
}

bool Orders::is_open(const CommandSet& set, const std::set<commands::CommandId>& done,
                     log::PartitionId partition, const Command& retry, Timestamp now) {
  return retry.kind == Kind::kRetry && retry.in_force(now) && !done.contains(retry.id) &&
         !set.done(retry.id, partition);
}

const Command* Orders::retry_of(const QueuedDelivery& delivery) {
  refresh();
  const Timestamp now = clock_.now();
  if (set_->empty() || all_held(delivery.record.envelope)) return nullptr;
  const commands::Subject subject = subject_of(delivery);
  const auto found = std::ranges::find_if(set_->all(), [&](const Command& one) {
    return is_open(*set_, done_, partition_, one, now) && one.means(subject);
  });
  return found == set_->all().end() ? nullptr : &*found;
}

bool Orders::concerns(const CommandSet& set, const control::Snapshot& control,
                      const std::set<commands::CommandId>& done, log::PartitionId partition,
                      const LaneEntry& parked, Timestamp now) {
  if (parked.held > 0 && parked.held >= parked.recipients) return false;
  const commands::Subject subject = subject_of(parked);
  if (const Command* said = decides(set, control, subject, now)) return said->kind == Kind::kCancel;
  if (parked.suspended) return true;
  if (parked.throttled || parked.due <= now) return false;
  return std::ranges::any_of(set.all(), [&](const Command& one) {
    return is_open(set, done, partition, one, now) && one.means(subject);
  });
}

bool Orders::any_to_carry_out() {
  refresh();
  const Timestamp now = clock_.now();
  return std::ranges::any_of(set_->all(), [&](const Command& one) {
    return is_open(*set_, done_, partition_, one, now) ||
           (one.kind == Kind::kCancel && one.in_force(now) && !done_.contains(one.id));
  });
}

void Orders::carried_out(const CommandSet& set) {
  for (const Command& one : set.all()) {
    if (one.kind == Kind::kSuspend || !done_.insert(one.id).second) continue;
    view_.report(one.id, partition_, {.complete = true});
  }
}

}  // namespace godwit::sender
