#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "common/poison/slots.h"

namespace godwit::poison {

// A process that starts with this file and dies with all of these in hand, one a slot. The next start counts them.
// At most one of them is a suspect already: suspects take turns.
void fake_death(const std::filesystem::path& file, const std::vector<Work>& in_hand,
                std::size_t slots = 4);
// As many deaths as make each of these refused, one after the other: slots of that many processes count it.
void fake_deaths(const std::filesystem::path& file, const std::vector<Work>& in_hand);

}  // namespace godwit::poison
