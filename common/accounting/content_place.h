#pragma once

#include <optional>

#include "common/log/types.h"
#include "godwit/v1/envelope.pb.h"

namespace godwit::accounting {

// The record that has the octets which a record refers to: what log::Append::refers_to names where
// the log reads by position. Nothing when the record carries them itself, or `retries` does.
// Threads   pure
[[nodiscard]] std::optional<log::RecordPosition> content_place(const v1::Content& content);

}  // namespace godwit::accounting
