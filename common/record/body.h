#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "godwit/v1/envelope.pb.h"

// Content in the topic `bodies`: the reference to where its chunks (common/log/by_message.h) came to stand.
//
// Threads  pure
namespace godwit::record {

// Of the longest message that a configuration allows (1 GiB), and some.
inline constexpr std::uint32_t kBodyChunksMax = 4096;

// Input   one ascending offset a chunk, as the log gave them; at least one
// Output  the reference; chunks that stand in a row take no more room for being many
[[nodiscard]] v1::BodyReference refer_to_body(std::uint32_t partition,
                                              std::span<const std::int64_t> offsets);

// Where each chunk is, in order. Errors: kMalformed for a reference to no chunk, to more than kBodyChunksMax, with
// the wrong number of gaps or with offsets out of range.
[[nodiscard]] Result<std::vector<std::int64_t>> body_offsets(const v1::BodyReference& body);

}  // namespace godwit::record
