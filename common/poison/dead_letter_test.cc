#include "common/poison/dead_letter.h"

#include <gtest/gtest.h>

#include "common/record/records.h"

namespace godwit::poison {
namespace {

constexpr log::RecordPosition kPosition{{log::Topic::kAccepted, 3}, 77};
constexpr std::string_view kKey = "sixteen octets..";

TEST(DeadLetter, KeepsTheWholeRecordInAsManyPartsAsItTakes) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, log::kRecordBytesMax}) {
    const std::string value(size, 'v');
    const auto changes = bury({.position = kPosition,
                               .key = std::string(kKey),
                               .value = Rope(Bytes::of_static(value)),
                               .cause = "malformed\r\n" + std::string(5'000, 'c'),
                               .role = "router",
                               .now = from_unix_ms(9)});
    EXPECT_EQ(changes.size(), size == log::kRecordBytesMax ? 2U : 1U);
    std::string joined;
    for (std::size_t part = 0; part < changes.size(); ++part) {
      const log::TableChange& change = changes[part];
      EXPECT_EQ(change.where, (log::TopicPartition{log::Topic::kDead, 3}));
      EXPECT_EQ(change.key, part == 0 ? "accepted/3/77" : "accepted/3/77/1");
      EXPECT_LE(change.key.size() + change.value->size(), log::kRecordBytesMax);
      const record::Dead dead = record::decode_dead(*change.value).value();
      EXPECT_EQ(dead.head.part(), part);
      EXPECT_EQ(dead.head.role(), "router");
      EXPECT_EQ(dead.head.key(), kKey);
      EXPECT_EQ(dead.head.offset(), 77);
      EXPECT_LE(dead.head.cause().size(), 1024U);
      joined += dead.value.to_string();
    }
    EXPECT_EQ(joined, value);
  }
}

}  // namespace
}  // namespace godwit::poison
