// Any octets in front of a connection: no crash, the bounds held, nothing taken that stands behind
// the header, the same whatever pieces they come in, and what was named is read back when written.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/check.h"
#include "common/net/proxy_header.h"

namespace {

using namespace godwit::net;

struct Read {
  bool refused = false;
  bool complete = false;
  std::size_t taken = 0;  // of a header that was not refused
  std::optional<ProxiedEnds> ends;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view octets, std::size_t piece) {
  ProxyHeaderReader reader;
  std::size_t taken = 0;
  while (reader.wanted() > 0 && taken < octets.size()) {
    const std::size_t count = std::min({reader.wanted(), piece, octets.size() - taken});
    if (!reader.take(octets.substr(taken, count))) return {.refused = true, .ends = {}};
    taken += count;
    CHECK(taken + reader.wanted() <= kProxyV2BytesMax);
  }
  return {.complete = reader.wanted() == 0, .taken = taken, .ends = reader.ends()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const Read whole = read(octets, size + 1);
  CHECK(read(octets, 1) == whole);
  CHECK(read(octets, 5) == whole);
  CHECK(whole.complete || !whole.ends);
  if (octets.starts_with("PROXY ")) CHECK(whole.taken <= kProxyV1BytesMax);
  if (whole.complete) CHECK(read(octets.substr(0, whole.taken), size) == whole);
  if (whole.ends && whole.ends->source.ip.family() == whole.ends->destination.ip.family()) {
    const Read again = read(proxy_v2_header(*whole.ends), size + 1);
    CHECK(again.complete && again.ends == whole.ends);
  }
  return 0;
}
