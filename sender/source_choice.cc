#include "sender/source_choice.h"

#include <cmath>
#include <cstdint>

namespace godwit::sender {

namespace {

// FNV-1a of the name, then the finaliser of splitmix64: well mixed, and the same on every machine
// for ever.
std::uint64_t hash_of(const DeliveryId& delivery, std::string_view source) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char octet : source) {
    hash = (hash ^ static_cast<std::uint8_t>(octet)) * 0x100000001b3ull;
  }
  hash ^= delivery.message.hash() + delivery.index * 0x9e3779b97f4a7c15ull;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
  return hash ^ (hash >> 31);
}

}  // namespace

const control::PoolMember* choose_source(const control::Pool& pool, const DeliveryId& delivery,
                                         const SourceUsable& usable) {
  const control::PoolMember* chosen = nullptr;
  double best = 0;
  for (const control::PoolMember& member : pool.members) {
    if (member.weight == 0 || !usable(member.source)) continue;
    // Uniform in (0, 1): the exponential race -ln(u) / weight is won with probability weight / sum.
    const double unit =
        (static_cast<double>(hash_of(delivery, member.source.text()) >> 11) + 0.5) * 0x1.0p-53;
    const double time = -std::log(unit) / member.weight;
    if (chosen == nullptr || time < best) {
      chosen = &member;
      best = time;
    }
  }
  return chosen;
}

bool sends_over_ipv4(const control::Source& source) {
  return !source.address.empty() || source.address6.empty();
}

bool sends_over_ipv6(const control::Source& source) {
  return !source.address6.empty();
}

}  // namespace godwit::sender
