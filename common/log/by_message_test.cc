#include "common/log/by_message.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace godwit::log {
namespace {

MessageId id_of(std::uint8_t last) {
  std::string octets(16, '\x11');
  octets.back() = static_cast<char>(last);
  return MessageId::from_octets(octets).value();
}

TEST(ByMessage, APartitionIsBelowTheirNumberAndStays) {
  std::set<PartitionId> partitions;
  for (int last = 0; last < 256; ++last) {
    const MessageId id = id_of(static_cast<std::uint8_t>(last));
    const PartitionId partition = partition_of(id, 4);
    EXPECT_EQ(partition, partition_of(id, 4));
    EXPECT_EQ(partition, id.hash() % 4);
    partitions.insert(partition);
  }
  EXPECT_EQ(partitions, (std::set<PartitionId>{0, 1, 2, 3}));
  EXPECT_EQ(partition_of(id_of(7), 1), 0U);
}

TEST(ByMessage, ABodyIsCutIntoRecordsThatTheLogTakes) {
  struct Case {
    std::size_t octets;
    std::vector<std::size_t> chunks;
  };
  for (const Case& test : {Case{0, {}}, Case{1, {1}}, Case{kBodyChunkBytes, {kBodyChunkBytes}},
                           Case{kBodyChunkBytes + 1, {kBodyChunkBytes, 1}},
                           Case{2 * kBodyChunkBytes, {kBodyChunkBytes, kBodyChunkBytes}}}) {
    std::string octets(test.octets, 'x');
    for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>('a' + i % 23);
    const Rope content(Bytes::copy_of(octets));
    std::vector<std::size_t> sizes;
    std::string joined;
    for (const Append& chunk : body_of(id_of(7), content, 4)) {
      EXPECT_EQ(chunk.where, (TopicPartition{Topic::kBodies, partition_of(id_of(7), 4)}));
      EXPECT_EQ(chunk.key, id_of(7).octets());
      EXPECT_LE(chunk.key.size() + chunk.value.size(), kRecordBytesMax);
      EXPECT_FALSE(chunk.refers_to);
      sizes.push_back(chunk.value.size());
      joined += chunk.value.to_string();
    }
    EXPECT_EQ(sizes, test.chunks);
    EXPECT_EQ(joined, octets);
  }
}

TEST(ByMessage, TheOctetsOfABodyAreNotCopied) {
  const Bytes octets = Bytes::adopt(std::string(kBodyChunkBytes + 1, 'x'));
  const auto chunks = body_of(id_of(7), Rope(octets), 4);
  EXPECT_EQ(chunks.at(0).value.pieces().front().view().data(), octets.view().data());
  EXPECT_EQ(chunks.at(1).value.pieces().front().view().data(),
            octets.view().data() + kBodyChunkBytes);
}

}  // namespace
}  // namespace godwit::log
