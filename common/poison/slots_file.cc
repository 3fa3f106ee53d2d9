#include "common/poison/slots_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <type_traits>

#include "common/base/crc32c.h"

namespace godwit::poison {
namespace {

// The file never leaves its machine; its slots are written in place by a processor of this order.
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "GDWPOISN";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kChecksumOffset = 20;

template <class Number>
  requires std::is_integral_v<Number>
void put(std::string& out, std::size_t at, Number number) {
  std::memcpy(out.data() + at, &number, sizeof number);
}

template <class Number>
  requires std::is_integral_v<Number>
Number get(std::string_view in, std::size_t at) {
  Number number{};
  std::memcpy(&number, in.substr(at, sizeof number).data(), sizeof number);
  return number;
}

// Of all that is never written in place: header and suspects, with the sum itself as zero.
std::uint32_t checksum(std::string_view file) {
  constexpr std::uint32_t kZero = 0;
  std::uint32_t crc = crc32c(file.substr(0, kChecksumOffset));
  crc = crc32c({reinterpret_cast<const char*>(&kZero), sizeof kZero}, crc);
  constexpr std::size_t kBehind = kChecksumOffset + sizeof kZero;
  return crc32c(file.substr(kBehind, kSlotsOffset - kBehind), crc);
}

// step, topic, partition, 4 octets of another meaning, offset
std::optional<Work> work_at(std::string_view file, std::size_t at) {
  const auto step = get<std::uint32_t>(file, at);
  const auto topic = get<std::uint32_t>(file, at + 4);
  const auto offset = get<log::Offset>(file, at + 16);
  if (step < static_cast<std::uint32_t>(Step::kDecode) ||
      step > static_cast<std::uint32_t>(Step::kSalvage) || topic < 1 ||
      topic > static_cast<std::uint32_t>(log::kTopicMax) || offset < 0) {
    return std::nullopt;
  }
  return Work{{{static_cast<log::Topic>(topic), get<log::PartitionId>(file, at + 8)}, offset},
              static_cast<Step>(step)};
}

}  // namespace

std::string encode_file(const std::vector<Suspect>& suspects, std::size_t slots) {
  std::string file(kSlotsOffset + slots * kSlotBytes, '\0');
  std::ranges::copy(kMagic, file.begin());
  put(file, 8, kVersion);
  put(file, 12, static_cast<std::uint32_t>(suspects.size()));
  put(file, 16, static_cast<std::uint32_t>(slots));
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    const std::size_t at = kHeaderBytes + i * kSuspectBytes;
    const Work& work = suspects[i].work;
    put(file, at, static_cast<std::uint32_t>(work.step));
    put(file, at + 4, static_cast<std::uint32_t>(work.record.where.topic));
    put(file, at + 8, work.record.where.partition);
    put(file, at + 12, suspects[i].crashes);
    put(file, at + 16, work.record.offset);
  }
  put(file, kChecksumOffset, checksum(file));
  return file;
}

Result<FileContent> decode_file(std::string_view octets) {
  const auto bad = [](std::string what) {
    return fail(std::make_error_code(std::errc::bad_message), std::move(what));
  };
  if (octets.size() < kSlotsOffset) return bad("it is too short");
  if (!octets.starts_with(kMagic)) return bad("it is no file of slots");
  if (get<std::uint32_t>(octets, 8) != kVersion) return bad("it has another version");
  if (get<std::uint32_t>(octets, kChecksumOffset) != checksum(octets))
    return bad("its checksum is another");
  FileContent content;
  const std::size_t suspects = get<std::uint32_t>(octets, 12);
  content.slots = get<std::uint32_t>(octets, 16);
  if (suspects > kSuspectsMax || content.slots > Slots::kSlotsMax ||
      octets.size() != kSlotsOffset + content.slots * kSlotBytes) {
    return bad("it has another size than it says");
  }
  for (std::size_t i = 0; i < suspects; ++i) {
    const std::size_t at = kHeaderBytes + i * kSuspectBytes;
    if (const auto work = work_at(octets, at))
      content.suspects.push_back({*work, get<std::uint32_t>(octets, at + 12)});
  }
  for (std::size_t i = 0; i < content.slots; ++i) {
    if (const auto work = work_at(octets, kSlotsOffset + i * kSlotBytes))
      content.in_hand.push_back(*work);
  }
  return content;
}

std::vector<Suspect> count(std::vector<Suspect>& suspects, const std::vector<Work>& in_hand) {
  std::vector<Suspect> counted;
  for (const Work& work : in_hand) {
    if (std::ranges::find(counted, work, &Suspect::work) != counted.end()) continue;
    Suspect suspect{work, 1};
    const auto known = std::ranges::find(suspects, work, &Suspect::work);
    if (known != suspects.end()) {
      suspect.crashes += known->crashes;
      suspects.erase(known);
    }
    suspects.push_back(suspect);
    counted.push_back(suspect);
  }
  if (suspects.size() > kSuspectsMax) {
    suspects.erase(suspects.begin(), suspects.end() - static_cast<std::ptrdiff_t>(kSuspectsMax));
  }
  return counted;
}

}  // namespace godwit::poison
