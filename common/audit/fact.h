#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <tuple>

#include "common/base/ids.h"

namespace godwit::audit {

// What one record says about one recipient, in 32 octets. The order puts together all that is known of a
// recipient, and before that what is known of its whole message. Equal facts are one fact.
struct Fact {
  enum class Kind : std::uint8_t {
    kHeldAll = 0,  // of the message: level and index are 0
    kAccepted = 1,
    kEnded = 2,    // detail: the Ending
    kPending = 3,  // detail: the Stage
    kHeld = 4,
  };

  std::array<std::uint8_t, 16> message{};
  std::uint8_t level = 1;  // 0: of the whole message
  Kind kind{};
  std::uint8_t detail = 0;
  std::uint8_t unused = 0;
  std::uint32_t index = 0;
  std::uint32_t attempt = 0;  // of an ending
  std::uint32_t origin =
      0;  // of an ending: a hash of who wrote it and when, equal for equal outcomes

  [[nodiscard]] static Fact of(const RecipientId& recipient, Kind kind) {
    Fact fact;
    std::memcpy(fact.message.data(), recipient.message.octets().data(), fact.message.size());
    fact.index = recipient.index;
    fact.kind = kind;
    return fact;
  }

  [[nodiscard]] RecipientId recipient() const {
    const auto* octets = reinterpret_cast<const char*>(message.data());
    return {*MessageId::from_octets({octets, message.size()}), index};
  }
  [[nodiscard]] bool same_message(const Fact& other) const { return message == other.message; }

  // Message ids sort as their octets do.
  friend std::strong_ordering operator<=>(const Fact& a, const Fact& b) {
    const int order = std::memcmp(a.message.data(), b.message.data(), a.message.size());
    return order != 0 ? order <=> 0 : a.rest() <=> b.rest();
  }
  friend bool operator==(const Fact& a, const Fact& b) {
    return a.message == b.message && a.rest() == b.rest();
  }

 private:
  [[nodiscard]] std::tuple<std::uint8_t, std::uint32_t, Kind, std::uint8_t, std::uint32_t,
                           std::uint32_t>
  rest() const {
    return {level, index, kind, detail, attempt, origin};
  }
};
static_assert(sizeof(Fact) == 32);

}  // namespace godwit::audit
