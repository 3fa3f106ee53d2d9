#include "common/record/body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "common/record/errc.h"

namespace godwit::record {
namespace {

using Offsets = std::vector<std::int64_t>;

TEST(Body, OffsetsComeBack) {
  for (const Offsets& offsets : {Offsets{7}, Offsets{0, 1, 2}, Offsets{3, 9, 10},
                                 Offsets{3, 4, 5'000'000'000 - 1'000'000'000}}) {
    const v1::BodyReference body = refer_to_body(5, offsets);
    EXPECT_EQ(body.partition(), 5U);
    EXPECT_EQ(body_offsets(body).value(), offsets);
  }
}

TEST(Body, ARowNeedsNoGaps) {
  EXPECT_EQ(refer_to_body(0, Offsets{4, 5, 6}).gaps_size(), 0);
  EXPECT_THAT(refer_to_body(0, Offsets{4, 5, 8}).gaps(), testing::ElementsAre(0, 2));
}

TEST(Body, WrongReferencesAreRefused) {
  const auto refused = [](std::int64_t first, std::uint32_t chunks,
                          std::vector<std::uint32_t> gaps) {
    v1::BodyReference body;
    body.set_first_offset(first);
    body.set_chunks(chunks);
    body.mutable_gaps()->Add(gaps.begin(), gaps.end());
    const auto offsets = body_offsets(body);
    return !offsets && offsets.error().code == Errc::kMalformed;
  };
  EXPECT_TRUE(refused(0, 0, {}));
  EXPECT_TRUE(refused(0, kBodyChunksMax + 1, {}));
  EXPECT_TRUE(refused(0, 3, {1}));
  EXPECT_TRUE(refused(0, 1, {1}));
  EXPECT_TRUE(refused(-1, 1, {}));
  EXPECT_TRUE(refused(std::numeric_limits<std::int64_t>::max(), 2, {}));
  EXPECT_FALSE(refused(0, kBodyChunksMax, {}));
}

}  // namespace
}  // namespace godwit::record
