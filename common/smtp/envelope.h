#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/smtp/address.h"

// What MAIL and RCPT carry. Numbers of Ret and Notify are those of proto/godwit/v1/envelope.proto.
namespace godwit::smtp {

enum class Body : std::uint8_t { kUnset, k7Bit, k8BitMime };            // RFC 6152
enum class Ret : std::uint8_t { kUnset = 0, kFull = 1, kHeaders = 2 };  // RFC 3461 s4.3

// RFC 3461 s4.1: bits; 0: not given.
inline constexpr std::uint8_t kNotifyNever = 1;
inline constexpr std::uint8_t kNotifySuccess = 2;
inline constexpr std::uint8_t kNotifyFailure = 4;
inline constexpr std::uint8_t kNotifyDelay = 8;

struct MailParameters {
  std::optional<std::uint64_t> size;  // RFC 1870
  Body body = Body::kUnset;           // RFC 6152
  bool smtputf8 = false;              // RFC 6531
  Ret ret = Ret::kUnset;              // RFC 3461
  std::string envid;                  // RFC 3461 s4.4, decoded
  std::optional<std::string> auth;    // RFC 4954 s5, decoded; "<>" when the submitter is not known
};

struct RcptParameters {
  std::uint8_t notify = 0;  // RFC 3461 s4.1
  std::string orcpt;        // "addr-type;address", address decoded (RFC 3461 s4.2)
};

struct EnvelopeRecipient {
  Address address;
  RcptParameters parameters;
};

struct Envelope {
  Address sender;
  MailParameters parameters;
  std::vector<EnvelopeRecipient> recipients;
};

}  // namespace godwit::smtp
