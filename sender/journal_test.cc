#include "sender/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/record/keys.h"
#include "sender/parked_index.h"

namespace godwit::sender {
namespace {

using log::Topic;

// The local copy of `retries`, as acknowledged commits left it.
class MapTable final : public log::Table {
 public:
  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto at = rows_.find(std::string(key));
    if (at == rows_.end()) return std::nullopt;
    return at->second;
  }
  [[nodiscard]] Result<void> scan(std::string_view, std::string_view, const Visit&) const override {
    return {};
  }
  [[nodiscard]] Result<void> scan_index(std::string_view from, std::string_view to,
                                        const VisitIndex& visit) const override {
    std::map<std::string, int> index;
    for (const auto& [key, value] : rows_) {
      index_retries(key, value, [&](std::string entry) { index[std::move(entry)]; });
    }
    for (auto at = index.lower_bound(std::string(from)); at != index.end() && at->first < to;
         ++at) {
      if (!visit(at->first)) break;
    }
    return {};
  }
  void apply(const log::Batch& batch) {
    for (const log::TableChange& change : batch.changes) {
      if (change.where.topic != Topic::kRetries) continue;
      if (change.value) {
        rows_[change.key] = change.value->to_string();
      } else {
        rows_.erase(change.key);
      }
    }
  }
  std::map<std::string, std::string> rows_;
};

class JournalTest : public testing::Test {
 protected:
  MessageId message(int number) {
    std::string octets(16, '\0');
    octets[0] = static_cast<char>(number);
    return *MessageId::from_octets(octets);
  }
  DeliveryPtr consumed(int number, std::uint32_t index, log::Offset offset,
                       std::string content = "content") {
    EXPECT_TRUE(bulk_.consume(offset, 1));
    DeliveryPtr delivery = parked(number, index, content);
    delivery->slot = WindowSlot{Topic::kOutbound, offset};
    delivery->record.content.set_parked(false);
    delivery->record.content.mutable_position()->set_offset(offset);
    delivery->content = Rope(Bytes::copy_of(content));
    return delivery;
  }
  DeliveryPtr parked(int number, std::uint32_t index, const std::string& content = "content") {
    DeliveryPtr delivery(new QueuedDelivery);
    delivery->id = {message(number), index};
    delivery->expires = from_unix_ms(2'000'000'000'000);
    v1::Delivery& head = delivery->record.head;
    head.set_version(1);
    head.set_message_id(std::string(message(number).octets()));
    head.set_index(index);
    head.set_site("s");
    head.set_pool("p");
    auto* recipient = delivery->record.envelope.add_recipients();
    recipient->set_index(index);
    recipient->set_address("one@a.example");
    delivery->record.content.set_size(content.size());
    delivery->record.content.set_parked(true);
    return delivery;
  }
  void add(DeliveryPtr delivery, Journal::After after) {
    record::Event& event = EventRecord::blank();
    event.head.set_version(1);
    event.head.set_message_id(delivery->record.head.message_id());
    const std::vector<EventRecord> events{EventRecord::of(event)};
    EXPECT_TRUE(journal_.add(delivery, events, after).has_value());
    EXPECT_EQ(delivery, nullptr);
  }
  log::Batch commit() {
    auto sealed = journal_.seal();
    EXPECT_TRUE(sealed.has_value());
    if (!sealed) return {};
    table_.apply(sealed->batch);
    journal_.committed(*sealed);
    return std::move(sealed->batch);
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : table_.rows_) keys.push_back(key);
    return keys;
  }

  MapTable table_;
  Window urgent_{0, {}};
  Window bulk_{0, {}};
  Journal journal_{0, 4, 64u << 20, table_, urgent_, bulk_};
};

TEST_F(JournalTest, NothingToCommit) {
  EXPECT_FALSE(journal_.seal().has_value());
}

TEST_F(JournalTest, AnEndItsEventAndItsPositionAreOneBatch) {
  add(consumed(1, 0, 0), Journal::After::kFinished);
  EXPECT_EQ(bulk_.next(), 0);  // not before it is in a batch
  const log::Batch batch = commit();
  ASSERT_EQ(batch.appends.size(), 1U);
  EXPECT_EQ(batch.appends[0].where.topic, Topic::kEvents);
  ASSERT_EQ(batch.positions.size(), 1U);
  EXPECT_EQ(batch.positions[0].next, 1);
  EXPECT_TRUE(batch.changes.empty());
  EXPECT_FALSE(journal_.seal().has_value());
}

TEST_F(JournalTest, WhatEndsOutOfOrderIsNamedBesideThePosition) {
  auto first = consumed(1, 0, 0);
  add(consumed(2, 0, 1), Journal::After::kFinished);
  const log::Batch batch = commit();
  EXPECT_TRUE(batch.positions.empty());
  EXPECT_EQ(keys(), std::vector<std::string>{"!position"});
  add(std::move(first), Journal::After::kFinished);
  EXPECT_EQ(commit().positions.at(0).next, 2);
  EXPECT_TRUE(keys().empty());
}

TEST_F(JournalTest, ContentIsWrittenWithTheFirstAndGoesWithTheLast) {
  const std::string content = record::content_key(message(1));
  add(consumed(1, 0, 0), Journal::After::kParked);
  add(consumed(1, 7, 1), Journal::After::kParked);
  const log::Batch batch = commit();
  int written = 0;
  for (const auto& change : batch.changes) written += change.key == content ? 1 : 0;
  EXPECT_EQ(written, 1);
  EXPECT_EQ(table_.rows_.at(content), "content");
  EXPECT_EQ(batch.positions.at(0).next, 2);  // parked is finished, for the window

  add(parked(1, 0), Journal::After::kFinished);
  commit();
  EXPECT_TRUE(table_.rows_.contains(content));
  add(parked(1, 7), Journal::After::kParked);  // deferred again: no second copy
  commit();
  EXPECT_EQ(keys().size(), 2U);
  add(parked(1, 7), Journal::After::kFinished);
  commit();
  EXPECT_TRUE(keys().empty());
}

TEST_F(JournalTest, UsesAreCountedWhileCommitsAreOnTheirWay) {
  add(consumed(1, 0, 0), Journal::After::kParked);
  commit();
  // The last user ends and another one comes, before either is committed.
  add(parked(1, 0), Journal::After::kFinished);
  auto second = consumed(1, 7, 1);
  second->content = {};
  EXPECT_TRUE(journal_.needs_content(*second).value());
  second->content = Rope(Bytes::copy_of("content"));
  add(std::move(second), Journal::After::kParked);
  commit();
  EXPECT_EQ(table_.rows_.at(record::content_key(message(1))), "content");
  EXPECT_TRUE(table_.rows_.contains(record::delivery_key({message(1), 7})));
}

TEST_F(JournalTest, ASharedContentNeedNotBeFetchedAgain) {
  add(consumed(1, 0, 0), Journal::After::kParked);
  auto second = consumed(1, 7, 1);
  second->content = {};
  EXPECT_FALSE(journal_.needs_content(*second).value());
  add(std::move(second), Journal::After::kParked);
  commit();
  EXPECT_EQ(keys().size(), 3U);
}

TEST_F(JournalTest, LargeContentIsCutIntoRecords) {
  const std::string content(3 * kContentPartBytes - 1, 'x');
  add(consumed(1, 0, 0, content), Journal::After::kParked);
  const log::Batch batch = commit();
  EXPECT_EQ(table_.rows_.size(), 4U);
  for (const auto& change : batch.changes) {
    EXPECT_LE(change.key.size() + change.value->size(), log::kRecordBytesMax);
  }
  add(parked(1, 0, content), Journal::After::kFinished);
  commit();
  EXPECT_TRUE(keys().empty());
}

TEST_F(JournalTest, ABatchIsBoundedAndKeepsTheOrder) {
  const std::string content(3u << 20, 'x');
  for (int i = 0; i < 5; ++i) add(consumed(i + 1, 0, i, content), Journal::After::kParked);
  std::size_t batches = 0;
  log::Offset next = 0;
  while (auto sealed = journal_.seal()) {
    ++batches;
    EXPECT_LE(sealed->entries, 2U);
    for (const auto& position : sealed->batch.positions) {
      EXPECT_GT(position.next, next);
      next = position.next;
    }
    table_.apply(sealed->batch);
    journal_.committed(*sealed);
  }
  EXPECT_EQ(batches, 3U);
  EXPECT_EQ(next, 5);
}

// On Kafka: the largest mail is more than one commit may have.
TEST_F(JournalTest, WhatIsInBodiesForLongStaysThere) {
  Journal journal(0, 4, 2u << 20, table_, urgent_, bulk_, /*bodies_stay=*/true);
  auto delivery = consumed(1, 0, 0);
  delivery->content = {};
  delivery->record.content.clear_position();
  delivery->record.content.mutable_body()->set_chunks(70);
  delivery->record.content.set_size(35u << 20);
  EXPECT_FALSE(journal.needs_content(*delivery).value());
  ASSERT_TRUE(journal.add(delivery, {}, Journal::After::kParked));
  auto sealed = journal.seal();
  table_.apply(sealed->batch);
  journal.committed(*sealed);
  EXPECT_THAT(keys(), testing::ElementsAre("d/" + DeliveryId{message(1), 0}.to_text()));

  // It comes back, and ends.
  auto again = std::move(sealed->parked.front());
  EXPECT_EQ(again->record.content.body().chunks(), 70U);
  again->slot.reset();
  ASSERT_TRUE(journal.add(again, {}, Journal::After::kFinished));
  sealed = journal.seal();
  table_.apply(sealed->batch);
  journal.committed(*sealed);
  EXPECT_THAT(keys(), testing::IsEmpty());
}

TEST_F(JournalTest, ABatchFitsIntoWhatTheLogTakes) {
  constexpr std::size_t kCommitBytesMax = 2u << 20;
  Journal journal(0, 4, kCommitBytesMax, table_, urgent_, bulk_);
  for (int i = 0; i < 40; ++i) {
    auto delivery = consumed(i + 1, 0, i, std::string(100'000, 'x'));
    ASSERT_TRUE(journal.add(delivery, {}, Journal::After::kParked));
  }
  std::size_t batches = 0;
  std::size_t entries = 0;
  while (auto sealed = journal.seal()) {
    ++batches;
    entries += sealed->entries;
    std::size_t bytes = 0;
    for (const auto& change : sealed->batch.changes) bytes += log::bytes_in_batch(change);
    EXPECT_LE(bytes, kCommitBytesMax);
    table_.apply(sealed->batch);
    journal.committed(*sealed);
  }
  EXPECT_EQ(entries, 40U);
  EXPECT_GE(batches, 3U);
}

TEST_F(JournalTest, DeadRecordsAreKeptWhole) {
  ASSERT_TRUE(bulk_.consume(0, 1));
  record::Dead dead;
  dead.head.set_version(1);
  dead.value = Rope(Bytes::adopt(std::string(log::kRecordBytesMax, 'x')));
  journal_.add_dead(WindowSlot{Topic::kOutbound, 0}, dead);
  const log::Batch batch = commit();
  std::size_t octets = 0;
  std::uint32_t part = 0;
  for (const auto& change : batch.changes) {
    ASSERT_EQ(change.where.topic, Topic::kDead);
    EXPECT_LE(change.key.size() + change.value->size(), log::kRecordBytesMax);
    const record::Dead piece = record::decode_dead(*change.value).value();
    EXPECT_EQ(piece.head.part(), part++);
    EXPECT_EQ(piece.head.parts(), 2U);
    octets += piece.value.size();
  }
  EXPECT_EQ(part, 2U);
  EXPECT_EQ(octets, log::kRecordBytesMax);
  EXPECT_EQ(batch.positions.at(0).next, 1);
}

}  // namespace
}  // namespace godwit::sender
