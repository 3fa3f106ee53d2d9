#include "sender/parked_index.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "common/record/keys.h"

namespace godwit::sender {
namespace {

using namespace std::chrono_literals;

const Timestamp kNow = from_unix_ms(1'767'225'600'000);

MessageId message(int number) {
  std::string octets(16, '\0');
  octets[15] = static_cast<char>(number);
  return *MessageId::from_octets(octets);
}

v1::Delivery parked(int number, std::string site, Timestamp due, bool throttled = false,
                    std::uint32_t index = 0) {
  v1::Delivery delivery;
  delivery.set_message_id(std::string(message(number).octets()));
  delivery.set_index(index);
  delivery.set_site(std::move(site));
  delivery.set_pool("default");
  delivery.set_tenant("acme");
  delivery.set_domain("d.example");
  delivery.set_accepted_unix_ms(to_unix_ms(kNow));
  delivery.set_due_unix_ms(to_unix_ms(due));
  delivery.set_expires_unix_ms(to_unix_ms(kNow + 120h));
  delivery.set_throttled(throttled);
  v1::Envelope envelope;
  envelope.add_recipients();
  envelope.add_recipients()->set_held(1);
  delivery.mutable_envelope()->set_data(envelope.SerializeAsString());
  delivery.mutable_content()->set_parked(true);
  return delivery;
}

std::set<std::string> index(const std::vector<v1::Delivery>& deliveries) {
  std::set<std::string> entries;
  for (const auto& delivery : deliveries) {
    const DeliveryId id{*MessageId::from_octets(delivery.message_id()), delivery.index()};
    index_retries(record::delivery_key(id), delivery.SerializeAsString(),
                  [&](std::string entry) { entries.insert(std::move(entry)); });
  }
  return entries;
}

std::vector<std::string> between(const std::set<std::string>& entries, const std::string& from,
                                 const std::string& to) {
  return {entries.lower_bound(from), entries.lower_bound(to)};
}

TEST(ParkedIndex, OnlyDeliveriesThatParseHaveEntries) {
  int emitted = 0;
  const auto count = [&](const std::string&) { ++emitted; };
  index_retries("!position", "x", count);
  index_retries(record::content_key(message(1)), "Subject: d/", count);
  index_retries(record::delivery_key({message(1), 0}), "\xff\xff\xff", count);
  index_retries(record::delivery_key({message(1), 0}), "", count);
  EXPECT_EQ(emitted, 0);
  index_retries(record::delivery_key({message(1), 0}), parked(1, "s", kNow).SerializeAsString(),
                count);
  EXPECT_EQ(emitted, 3);
}

// The octets of the indented lines of docs/formats/retries.md from "and the entries" on; an empty line ends one.
std::vector<std::string> documented_entries() {
  std::ifstream page(GODWIT_SOURCE_DIR "/docs/formats/retries.md");
  std::vector<std::string> entries(1);
  bool there = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("and the entries")) there = true;
    if (!there) continue;
    if (line.empty() && !entries.back().empty()) entries.emplace_back();
    if (!line.starts_with("    ")) continue;
    for (std::size_t at = 4; at + 1 < line.size() && line[at] != ' '; at += 3) {
      entries.back() += static_cast<char>(std::stoi(line.substr(at, 2), nullptr, 16));
    }
  }
  entries.pop_back();
  return entries;
}

TEST(ParkedIndex, IsWhatItsFormatPageShows) {
  const MessageId id = MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e").value();
  v1::Delivery delivery = parked(0, "mx:mx1.example.net", from_unix_ms(1'795'375'844'000));
  delivery.set_message_id(std::string(id.octets()));
  delivery.set_domain("example.net");
  delivery.set_accepted_unix_ms(1'795'374'644'000);
  delivery.set_expires_unix_ms(0);
  v1::Envelope envelope;
  envelope.add_recipients();
  delivery.mutable_envelope()->set_data(envelope.SerializeAsString());
  delivery.mutable_content()->set_size(23);
  std::vector<std::string> entries;
  index_retries(record::delivery_key({id, 0}), delivery.SerializeAsString(),
                [&](std::string entry) { entries.push_back(std::move(entry)); });
  EXPECT_EQ(entries, documented_entries());
}

TEST(ParkedIndex, ByTimeInOrder) {
  const auto entries = index({parked(1, "s", kNow + 3min), parked(2, "s", kNow + 1min),
                              parked(3, "s", kNow + 2min), parked(4, "s", kNow + 9min)});
  std::vector<DueEntry> due;
  for (const auto& entry : between(entries, due_bound(kNow), due_bound(kNow + 9min))) {
    due.push_back(parse_due(entry).value());
  }
  EXPECT_EQ(due, (std::vector<DueEntry>{{kNow + 1min, {message(2), 0}},
                                        {kNow + 2min, {message(3), 0}},
                                        {kNow + 3min, {message(1), 0}}}));
}

TEST(ParkedIndex, TheEndIsLookedAtWhateverItWaitsFor) {
  EXPECT_EQ(look_at(parked(1, "s", kNow, true)), kNow + 120h);
  EXPECT_EQ(look_at(parked(1, "s", kNow + 500h)), kNow + 120h);
  EXPECT_EQ(look_at(parked(1, "s", kNow + 1h)), kNow + 1h);
}

TEST(ParkedIndex, ByLane) {
  const LaneId lane{SiteName("s"), PoolName("default")};
  v1::Delivery reset = parked(6, "s", kNow + 9s, true);
  reset.set_class_(v1::URGENT);
  const auto entries = index({parked(1, "s", kNow + 2s, true), parked(2, "s", kNow + 1s, true),
                              parked(3, "s", kNow, false), parked(4, "s2", kNow, true),
                              parked(5, "r", kNow, true), reset});
  const auto waiting = [&](bool urgent) {
    std::vector<int> numbers;
    for (const auto& entry :
         between(entries, waiting_begin(lane, urgent), waiting_end(lane, urgent))) {
      EXPECT_EQ(parse_lane(entry).value().urgent, urgent);
      numbers.push_back(parse_lane(entry).value().id.message.octets()[15]);
    }
    return numbers;
  };
  EXPECT_EQ(waiting(false), (std::vector<int>{2, 1}));
  EXPECT_EQ(waiting(true), std::vector<int>{6});
  const auto all = between(entries, lanes_begin(), lanes_end());
  EXPECT_EQ(all.size(), 6U);

  const LaneEntry entry =
      parse_lane(between(entries, waiting_begin(lane, false), waiting_end(lane, false)).front())
          .value();
  EXPECT_EQ(entry.lane, lane);
  EXPECT_TRUE(entry.throttled);
  EXPECT_EQ(entry.due, kNow + 1s);
  EXPECT_EQ(entry.accepted, kNow);
  EXPECT_EQ(entry.recipients, 2U);
  EXPECT_EQ(entry.held, 1U);
  EXPECT_EQ(entry.tenant, "acme");
  EXPECT_EQ(entry.domain, "d.example");
}

TEST(ParkedIndex, WhatIsSuspendedWaitsForNothingButItsEnd) {
  const LaneId lane{SiteName("s"), PoolName("default")};
  v1::Delivery suspended = parked(1, "s", kNow + 2s);
  suspended.set_suspended(true);
  suspended.set_class_(v1::URGENT);
  suspended.add_tags("spring");
  suspended.add_tags("sale");
  suspended.mutable_content()->set_size(0x0102030405);
  EXPECT_EQ(look_at(suspended), kNow + 120h);
  const auto entries = index({suspended});
  for (const bool urgent : {true, false})
    EXPECT_TRUE(between(entries, waiting_begin(lane, urgent), waiting_end(lane, urgent)).empty());
  const auto all = between(entries, lanes_begin(), lanes_end());
  ASSERT_EQ(all.size(), 1U);
  const LaneEntry entry = parse_lane(all.front()).value();
  EXPECT_TRUE(entry.suspended);
  EXPECT_FALSE(entry.throttled);
  EXPECT_TRUE(entry.urgent);
  EXPECT_EQ(entry.due, kNow + 2s);
  EXPECT_EQ(entry.bytes, 0x0102030405U);
  EXPECT_EQ(entry.tags, (std::vector<std::string>{"spring", "sale"}));
}

TEST(ParkedIndex, ByContent) {
  const auto entries =
      index({parked(1, "s", kNow, false, 0), parked(1, "r", kNow, false, 0x01020304),
             parked(1, "t", kNow, false, 0xffffffff), parked(2, "s", kNow)});
  std::vector<std::uint32_t> users;
  for (const auto& entry :
       between(entries, content_users_begin(message(1)), content_users_end(message(1)))) {
    users.push_back(parse_content_user(entry).value().index);
  }
  EXPECT_EQ(users, (std::vector<std::uint32_t>{0, 0x01020304, 0xffffffff}));

  v1::Delivery elsewhere = parked(3, "s", kNow);
  elsewhere.mutable_content()->clear_parked();
  elsewhere.mutable_content()->mutable_body()->set_chunks(70);
  EXPECT_EQ(index({elsewhere}).size(), 2U) << "its content is in `bodies`";
}

TEST(ParkedIndex, ForeignEntriesAreNotParsed) {
  for (const char* entry : {"", "q", "l", "u", "x123", "l\0\0t"}) {
    EXPECT_FALSE(parse_due(entry));
    EXPECT_FALSE(parse_lane(entry));
    EXPECT_FALSE(parse_content_user(entry));
  }
}

}  // namespace
}  // namespace godwit::sender
