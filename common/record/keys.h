#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"

// Keys of the tables `retries` and `dead` (docs/formats/retries.md, docs/formats/records.md).
namespace godwit::record {

inline constexpr std::string_view kPositionKey = "!position";  // FinishedPositions
inline constexpr std::string_view kOwnerKey = "!owner";        // OwnerClaim
inline constexpr std::string_view kDeliveryPrefix = "d/";      // Delivery of a parked delivery
inline constexpr std::string_view kContentPrefix = "c/";       // its content, in wire form
inline constexpr std::string_view kLanePrefix = "l/";          // LaneState
inline constexpr std::string_view kSlotPrefix = "s/";          // Delivery that is not parked

[[nodiscard]] std::string delivery_key(const DeliveryId& id);     // "d/<message id>/<index>"
[[nodiscard]] std::string content_key(const MessageId& content);  // "c/<message id>"
[[nodiscard]] std::string lane_key(const LaneId& lane);           // "l/<site> 0x00 <pool>"
// "s/<topic>/<offset>"
[[nodiscard]] std::string slot_key(std::string_view topic, std::int64_t offset);
[[nodiscard]] std::optional<DeliveryId> delivery_of_key(std::string_view key);
[[nodiscard]] std::optional<MessageId> content_of_key(std::string_view key);
[[nodiscard]] std::optional<LaneId> lane_of_key(std::string_view key);

// "<topic>/<partition>/<offset>", and "/<part>" behind it for the later parts of a large record.
[[nodiscard]] std::string dead_key(std::string_view topic, std::uint32_t partition,
                                   std::int64_t offset, std::uint32_t part = 0);

}  // namespace godwit::record
