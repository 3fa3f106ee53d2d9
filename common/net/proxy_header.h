#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/address.h"

// The PROXY protocol: what a proxy puts in front of a connection's first octets to say whose
// connection it passes on.
//
// Source  HAProxy, "The PROXY protocol, versions 1 & 2", 2020-03-05: section 2.1 (text), 2.2
//         (binary)
namespace godwit::net {

inline constexpr std::size_t kProxyV1BytesMax = 107;        // section 2.1, with CRLF
inline constexpr std::size_t kProxyV2BytesMax = 16 + 4096;  // ours: its own length goes to 65,551

// The two ends of the connection that the proxy passes on, or is to make.
struct ProxiedEnds {
  Address source;
  Address destination;
  bool operator==(const ProxiedEnds&) const = default;
};

// Reads one header, of either version, piece by piece.
//
// It never wants an octet that may stand behind the header: a command or a TLS handshake stays
// where it is, with whoever reads next.
//
// Input     what was received, from the first octet on: at most wanted() octets at a time
// Output    ends(), or none where the proxy speaks for itself: LOCAL (a health check), UNKNOWN,
//           AF_UNSPEC and AF_UNIX. The connection is then the peer's own
// Errors    kInvalid, at the first octet that no header has there. Stricter than the specification:
//           a datagram's header is refused, and so is one longer than kProxyV2BytesMax. TLVs are
//           skipped; a CRC32C among them (section 2.2.3) has to be right
// Limits    memory <= kProxyV2BytesMax
// Threads   pure; no I/O, no clock
class ProxyHeaderReader {
 public:
  // Octets that are the header's for certain; 0: it is complete.
  [[nodiscard]] std::size_t wanted() const { return wanted_; }
  [[nodiscard]] Result<void> take(std::string_view octets);
  // Whether anything came at all.
  [[nodiscard]] bool begun() const { return !octets_.empty(); }
  // Of a complete header.
  [[nodiscard]] const std::optional<ProxiedEnds>& ends() const { return ends_; }

 private:
  [[nodiscard]] Result<void> take_text();
  [[nodiscard]] Result<void> take_binary();
  [[nodiscard]] Result<void> parse_line(std::string_view line);
  [[nodiscard]] Result<void> parse_block(std::uint8_t family);
  [[nodiscard]] Result<void> check_tlvs(std::size_t at) const;

  std::string octets_;
  std::size_t wanted_ = 12;  // the signature of v2; no line of v1 is shorter than 15
  std::optional<ProxiedEnds> ends_;
};

// A header of version 2, PROXY and STREAM, without TLVs. Both ends are of one family.
[[nodiscard]] std::string proxy_v2_header(const ProxiedEnds& ends);

}  // namespace godwit::net
