#include "common/net/errc.h"

#include <string>

namespace godwit::net {
namespace {

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "net"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::kTimeout: return "timed out";
      case Errc::kClosed: return "closed here";
      case Errc::kPeerClosed: return "the peer closed the connection";
      case Errc::kReset: return "the connection was broken";
      case Errc::kRefused: return "connection refused";
      case Errc::kUnreachable: return "unreachable";
      case Errc::kAddressUnavailable: return "not an address of this machine";
      case Errc::kAddressInUse: return "address in use";
      case Errc::kResources: return "out of descriptors, ports or memory";
      case Errc::kInvalid: return "invalid";
      case Errc::kTls: return "TLS failed";
      case Errc::kTlsUntrusted: return "the certificate is not trusted";
      case Errc::kTlsInjected: return "plaintext between STARTTLS and the handshake";
      case Errc::kIo: return "input/output error";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& category() {
  static const Category instance;
  return instance;
}

}  // namespace godwit::net
