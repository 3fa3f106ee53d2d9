#include "common/record/body.h"

#include <algorithm>
#include <limits>
#include <string>

#include "common/base/check.h"
#include "common/record/errc.h"

namespace godwit::record {

v1::BodyReference refer_to_body(std::uint32_t partition, std::span<const std::int64_t> offsets) {
  CHECK(!offsets.empty(), "content has a chunk");
  v1::BodyReference body;
  body.set_partition(partition);
  body.set_first_offset(offsets.front());
  body.set_chunks(static_cast<std::uint32_t>(offsets.size()));
  std::vector<std::uint32_t> gaps;
  for (std::size_t i = 1; i < offsets.size(); ++i) {
    const std::int64_t gap = offsets[i] - offsets[i - 1] - 1;
    CHECK(gap >= 0 && gap <= std::numeric_limits<std::uint32_t>::max(), "chunk {} at {} behind {}",
          i, offsets[i], offsets[i - 1]);
    gaps.push_back(static_cast<std::uint32_t>(gap));
  }
  if (std::ranges::any_of(gaps, [](std::uint32_t gap) { return gap != 0; }))
    body.mutable_gaps()->Add(gaps.begin(), gaps.end());
  return body;
}

Result<std::vector<std::int64_t>> body_offsets(const v1::BodyReference& body) {
  constexpr std::int64_t kOffsetMax = std::numeric_limits<std::int64_t>::max() / 2;
  const std::uint32_t chunks = body.chunks();
  if (chunks == 0 || chunks > kBodyChunksMax)
    return fail(Errc::kMalformed, std::to_string(chunks) + " chunks");
  if (body.gaps_size() != 0 && static_cast<std::uint32_t>(body.gaps_size()) != chunks - 1)
    return fail(Errc::kMalformed, "a gap is missing, or one too many");
  if (body.first_offset() < 0 || body.first_offset() > kOffsetMax)
    return fail(Errc::kMalformed, "offset " + std::to_string(body.first_offset()));
  std::vector<std::int64_t> offsets{body.first_offset()};
  offsets.reserve(chunks);
  for (int i = 0; offsets.size() < chunks; ++i) {
    const std::int64_t gap = body.gaps_size() == 0 ? 0 : body.gaps(i);
    offsets.push_back(offsets.back() + 1 + gap);
  }
  return offsets;
}

}  // namespace godwit::record
