#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/poison/slots.h"

// The octets of the file of slots (docs/formats/poison.md). Pure.
namespace godwit::poison {

inline constexpr std::size_t kHeaderBytes = 64;
inline constexpr std::size_t kSuspectBytes = 32;
inline constexpr std::size_t kSlotBytes = 64;
inline constexpr std::size_t kSlotsOffset = kHeaderBytes + kSuspectsMax * kSuspectBytes;

// A file with these suspects and that many free slots.
[[nodiscard]] std::string encode_file(const std::vector<Suspect>& suspects, std::size_t slots);

struct FileContent {
  std::vector<Suspect> suspects;  // the oldest first
  std::vector<Work> in_hand;      // of slots that are set; those that make no sense are left out
  std::size_t slots = 0;
};
// Errors: std::errc::bad_message, with what is wrong.
[[nodiscard]] Result<FileContent> decode_file(std::string_view octets);

// One crash more for each work in hand; it becomes the youngest. Beyond kSuspectsMax the oldest go.
// Returns what was counted.
std::vector<Suspect> count(std::vector<Suspect>& suspects, const std::vector<Work>& in_hand);

}  // namespace godwit::poison
