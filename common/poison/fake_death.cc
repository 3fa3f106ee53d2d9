#include "common/poison/fake_death.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace godwit::poison {

void fake_death(const std::filesystem::path& file, const std::vector<Work>& in_hand,
                std::size_t slots) {
  std::string left;  // the file as it is at the moment of the death
  {
    Slots process(file, slots);
    std::vector<std::unique_ptr<InHand>> hands;
    hands.reserve(in_hand.size());
    for (std::size_t i = 0; i < in_hand.size(); ++i)
      hands.push_back(std::make_unique<InHand>(process.at(i), in_hand[i]));
    std::ifstream in(file, std::ios::binary);
    left.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::ofstream(file, std::ios::binary | std::ios::trunc) << left;
}

void fake_deaths(const std::filesystem::path& file, const std::vector<Work>& in_hand) {
  for (std::uint32_t death = 1; death <= kCrashesMax; ++death) {
    for (const Work& work : in_hand) fake_death(file, {work});
  }
}

}  // namespace godwit::poison
