#pragma once

#include <system_error>

namespace godwit::net {

// What became of a network operation. Retrying is the caller's decision; the comments say what is
// known.
enum class Errc {
  kTimeout = 1,         // the caller's deadline passed; part of a write may have left
  kClosed,              // close() was called on our side
  kPeerClosed,          // the peer ended the connection in order where more was needed
  kReset,               // the peer, or the way to it, broke the connection
  kRefused,             // nobody listens there
  kUnreachable,         // no way to that address (network, host, or no such address family here)
  kAddressUnavailable,  // the local address is not ours
  kAddressInUse,        // another socket has the local address and port
  kResources,           // out of descriptors, ports or memory here; nothing was sent
  kInvalid,             // text that is no address, a file that is no certificate, a wrong argument
  kTls,                 // TLS failed: handshake, alert, protocol violation; context has the reason
  kTlsUntrusted,        // the peer's certificate does not satisfy what was required
  kTlsInjected,         // plaintext stood between STARTTLS and the handshake: somebody put it there
  kIo,                  // anything else the operating system said; context has its text
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::net

template <>
struct std::is_error_code_enum<godwit::net::Errc> : std::true_type {};
