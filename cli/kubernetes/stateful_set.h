#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::cli::kubernetes {

// A pod of a StatefulSet by its name: "godwit-sender-3" is number 3 of "godwit-sender".
struct Member {
  std::string set;
  std::uint32_t ordinal = 0;
};
[[nodiscard]] std::optional<Member> member_of(std::string_view pod);

// The ordinals a StatefulSet is to have.
struct Ordinals {
  std::uint64_t start = 0;
  std::uint64_t replicas = 1;

  [[nodiscard]] bool contain(std::uint32_t ordinal) const {
    return ordinal >= start && ordinal - start < replicas;
  }
};
// Input: the object of apps/v1 as JSON. Errors: it is none. Pure.
[[nodiscard]] Result<Ordinals> ordinals_of(std::string_view stateful_set);

}  // namespace godwit::cli::kubernetes
