#pragma once

#include <string>
#include <string_view>

#include "common/log/kafka/admin.h"

namespace godwit::log {

// Puts a node that is gone out of a group: joins under its name, which makes whoever had it no member any more, and
// leaves. Output: whether it was a member. Blocks for some seconds; what takes longer than kEvictionMax is given up.
// Errors   kUnavailable: brokers do not answer, or the member is still there
inline constexpr std::chrono::seconds kEvictionMax{20};
[[nodiscard]] Result<bool> evict_member(KafkaAdmin& admin, const KafkaOptions& options,
                                        const TopicNames& names, const std::string& group,
                                        const std::string& node);

}  // namespace godwit::log
