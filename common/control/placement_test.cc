#include "common/control/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>

#include "common/control/snapshot.h"

namespace godwit::control {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

LaneId lane(const std::string& site) {
  return {SiteName(site), PoolName("default")};
}

// A pool `default` with a source for each weight.
Content content_with(const std::vector<std::uint32_t>& weights) {
  Content content;
  Pool pool{.name = PoolName("default"), .members = {}};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::string name = "s" + std::to_string(i);
    content.sources[name].name = SourceName(name);
    pool.members.push_back({.source = SourceName(name), .weight = weights[i]});
  }
  content.pools.emplace("default", std::move(pool));
  return content;
}

// The vectors of docs/formats/placement.md. A change here moves lanes of running clusters: never.
TEST(Slot, IsForEver) {
  const struct {
    const char *site, *pool;
    std::uint32_t slot;
  } vectors[] = {{"google", "default", 477},
                 {"microsoft", "default", 1640},
                 {"example.net", "default", 416},
                 {"google", "bulk", 3087},
                 {"", "", 1896},
                 {"mx:mx1.h.test+cce2657d", "default", 1557}};
  for (const auto& [site, pool, slot] : vectors) {
    EXPECT_EQ(slot_of({SiteName(site), PoolName(pool)}), slot) << site << " " << pool;
  }
}

TEST(Slot, SeparatesSiteAndPool) {
  EXPECT_NE(slot_of({SiteName("ab"), PoolName("c")}), slot_of({SiteName("a"), PoolName("bc")}));
}

TEST(LaneMap, IsSlotModuloPartitionsByItself) {
  const LaneMap lanes;
  std::set<log::PartitionId> seen;
  for (int i = 0; i < 1'000; ++i) {
    const LaneId id = lane("site" + std::to_string(i));
    const log::PartitionId partition = lanes.partition_of(id, 0, 7);
    EXPECT_EQ(partition, slot_of(id) % 7);
    EXPECT_EQ(lanes.share_of(id, partition, 7), LaneShare{});
    EXPECT_EQ(lanes.share_of(id, (partition + 1) % 7, 7), std::nullopt);
    seen.insert(partition);
  }
  EXPECT_EQ(seen.size(), 7U);
}

TEST(LaneMap, SlotsMove) {
  LaneMap lanes;
  lanes.move({{0, 4095}, 2});
  lanes.move({{477, 477}, 5});   // google's
  lanes.move({{416, 416}, 16});  // example.net's: there is no such partition
  EXPECT_EQ(lanes.partition_of(lane("google"), 0, 16), 5U);
  EXPECT_EQ(lanes.partition_of(lane("microsoft"), 0, 16), 2U);
  EXPECT_EQ(lanes.partition_of(lane("example.net"), 0, 16), 0U);
  EXPECT_EQ(lanes.share_of(lane("google"), 477 % 16, 16), std::nullopt);
}

TEST(LaneMap, AWideLaneHasEachSourceOnceAndGoesByWeight) {
  LaneMap lanes;
  const PinnedLane wide{.site = SiteName("google"), .partitions = {6, 1, 3}};
  const std::vector<std::uint32_t> weights{1, 2, 3, 4};  // the first and the last are on 6
  lanes.pin(wide, weights, 3);
  std::map<log::PartitionId, int> counts;
  for (std::uint64_t delivery = 0; delivery < 1'000; ++delivery)
    ++counts[lanes.partition_of(lane("google"), delivery, 8)];
  EXPECT_EQ(counts, (std::map<log::PartitionId, int>{{6, 500}, {1, 200}, {3, 300}}));

  for (std::size_t place = 0; place < weights.size(); ++place) {
    int owners = 0;
    for (const log::PartitionId partition : {6, 1, 3})
      owners += lanes.share_of(lane("google"), partition, 8)->has(place) ? 1 : 0;
    EXPECT_EQ(owners, 1) << place;
  }
  EXPECT_EQ(lanes.share_of(lane("google"), 0, 8), std::nullopt);
}

TEST(LaneMap, SlicesAddUpToTheWhole) {
  for (const std::uint32_t width : {1U, 2U, 3U, 7U}) {
    for (const std::uint32_t limit : {0U, 1U, 6U, 7U, 100U}) {
      std::uint32_t sum = 0;
      for (std::uint32_t index = 0; index < width; ++index)
        sum += LaneShare{.index = index, .width = width}.slice(limit);
      EXPECT_EQ(sum, limit) << width;
    }
  }
}

TEST(LaneMap, APartitionWithoutASliceGetsNoMail) {
  Content content = content_with({1, 1, 1});
  content.placement.map.lanes = {{.site = SiteName("google"), .partitions = {0, 1, 2}}};
  content.shaping = {{.site = "google", .lane_connection_limit = 2}};
  const auto snapshot = make_snapshot(std::move(content));
  const LaneMap& lanes = snapshot->lanes({});
  for (std::uint64_t delivery = 0; delivery < 100; ++delivery)
    EXPECT_LT(lanes.partition_of(lane("google"), delivery, 4), 2U);
  EXPECT_EQ(lanes.share_of(lane("google"), 2, 4), std::nullopt);
  EXPECT_EQ(lanes.share_of(lane("google"), 1, 4)->width, 2U);
}

TEST(Placement, ChangesForEverybodyAtOneMoment) {
  const Timestamp now = from_unix_ms(1'000'000);
  PlacementMap first;
  first.slots = {{{0, 4095}, 1}};
  PlacementMap second;
  second.slots = {{{0, 4095}, 2}};
  const Placement one = changed({}, first, now);
  const Placement same = changed(one, first, now + std::chrono::hours(1));
  EXPECT_EQ(same.number, 1U);
  EXPECT_EQ(same.effective_at, now + kPlacementLead);

  // A second change before the first takes effect: until then the map is still the one of before.
  Content content;
  content.placement = changed(one, second, now + std::chrono::seconds(1));
  EXPECT_EQ(content.placement.before, PlacementMap{});
  content.placement = changed(one, second, now + std::chrono::seconds(60));
  EXPECT_EQ(content.placement.before, first);
  const Timestamp switched = content.placement.effective_at;
  const auto snapshot = make_snapshot(std::move(content));
  const auto partition_at = [&](Timestamp when) {
    return snapshot->lanes(when).partition_of(lane("google"), 0, 8);
  };
  EXPECT_EQ(partition_at(switched - std::chrono::milliseconds(1)), 1U);
  EXPECT_EQ(partition_at(switched), 2U);
}

TEST(Placement, AWidthAboveTheSourcesIsMended) {
  Content content = content_with({1, 1});
  content.placement.map.lanes = {{.site = SiteName("google"), .partitions = {0, 1, 2}},
                                 {.site = SiteName("microsoft"), .partitions = {0, 1}}};
  EXPECT_THAT(mend(content), SizeIs(1));
  EXPECT_EQ(content.placement.map.lanes[0].partitions.size(), 2U);
  EXPECT_THAT(mend(content), IsEmpty());
}

}  // namespace
}  // namespace godwit::control
