#include "tests/simulation/control_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/simulation/mail_hosts.h"

namespace godwit::simulation {

using namespace std::chrono_literals;

class ControlData::View final : public control::View {
 public:
  explicit View(control::SnapshotPtr snapshot) : snapshot_(std::move(snapshot)) {}
  [[nodiscard]] control::SnapshotPtr current() const override { return snapshot_; }
  void set(control::SnapshotPtr snapshot) {
    if (snapshot->version > snapshot_->version) snapshot_ = std::move(snapshot);
  }

 private:
  control::SnapshotPtr snapshot_;
};

ControlData::ControlData(World& world, log::PartitionId partitions)
    : world_(world), partitions_(partitions) {
  for (const char* name : {"a", "b"}) content_.sources[name].name = SourceName(name);
  for (const char* name : {"default", "careful"}) content_.tenants[name].name = TenantName(name);
  content_.tenants["careful"].outcome_unknown = control::OutcomeUnknown::kHold;
  content_.pools["default"] = {PoolName("default"), {{SourceName("a"), 1}, {SourceName("b"), 1}}};
  publish();
}

std::unique_ptr<control::View> ControlData::view(Process& process) {
  auto view = std::make_unique<View>(current_);
  readers_.push_back({&process, view.get()});
  return view;
}

void ControlData::publish() {
  const std::uint64_t version = current_ ? current_->version + 1 : 1;
  auto snapshot = control::make_snapshot(content_);
  snapshot->version = version;
  current_ = std::move(snapshot);
  std::erase_if(readers_, [](const Reader& reader) { return !reader.process->alive; });
  for (const Reader& reader : readers_) {
    world_.after(world_.between(0ms, 4s),
                 [this, reader, snapshot = current_] { tell(reader, snapshot); });
  }
}

void ControlData::tell(Reader reader, control::SnapshotPtr snapshot) {
  Process& process = *reader.process;
  if (!process.alive) return;
  if (process.paused || process.cut_until > world_.now()) {
    world_.after(500ms, [this, reader, snapshot = std::move(snapshot)]() mutable {
      tell(reader, std::move(snapshot));
    });
    return;
  }
  process.awake = true;
  reader.view->set(std::move(snapshot));
}

void ControlData::move_slots(control::PlacementMap& map) {
  const std::uint64_t moves = 1 + world_.random().below(3);
  for (std::uint64_t i = 0; i < moves; ++i) {
    const auto first = static_cast<std::uint32_t>(world_.random().below(control::kSlots));
    const auto last =
        static_cast<std::uint32_t>(first + world_.random().below(control::kSlots - first));
    const auto to = static_cast<log::PartitionId>(world_.random().below(partitions_));
    map.slots.push_back({{first, last}, to});
  }
}

void ControlData::pin_lanes(control::PlacementMap& map) {
  const std::uint64_t lanes = 1 + world_.random().below(MailHosts::kDomains);
  for (std::uint64_t i = 0; i < lanes; ++i) {
    const SiteName site("mx:mx." + MailHosts::domain(world_.random().below(MailHosts::kDomains)));
    if (std::ranges::find(map.lanes, site, &control::PinnedLane::site) != map.lanes.end()) continue;
    const auto first = static_cast<log::PartitionId>(world_.random().below(partitions_));
    std::vector<log::PartitionId> to{first};
    // As wide as its pool has sources.
    if (partitions_ > 1 && world_.chance(50)) to.push_back((first + 1) % partitions_);
    map.lanes.push_back({site, PoolName("default"), std::move(to)});
  }
}

void ControlData::shape() {
  content_.shaping.clear();
  control::ShapingEntry entry{.is_default = true};
  if (world_.chance(50)) {
    entry.connection_limit = static_cast<std::uint32_t>(1 + world_.random().below(3));
  }
  if (world_.chance(50)) entry.max_message_rate = control::Rate{1, 2s, 1};
  if (world_.chance(30)) entry.lane_max_message_rate = control::Rate{1, 1s, 2};
  content_.shaping.push_back(entry);
}

Instant ControlData::change() {
  control::PlacementMap map = content_.placement.map;
  switch (world_.random().below(6)) {
    case 0:
    case 1: move_slots(map); break;
    case 2:
    case 3: pin_lanes(map); break;
    case 4:
      map = {};
      shape();
      break;
    default:
      // One source, the other, or none takes mail.
      for (control::PoolMember& member : content_.pools.at("default").members) {
        member.weight = static_cast<std::uint32_t>(world_.random().below(2));
      }
      break;
  }
  if (map.slots.size() > 20) map = {};
  content_.placement = control::changed(content_.placement, std::move(map), world_.clock().now());
  world_.say("world", fmt::format("control data change, placement {}", content_.placement.number));
  publish();
  return world_.now() + control::kPlacementLead;
}

void ControlData::calm() {
  content_.shaping.clear();
  for (control::PoolMember& member : content_.pools.at("default").members) member.weight = 1;
  publish();
}

}  // namespace godwit::simulation
