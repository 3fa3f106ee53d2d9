#pragma once

#include <system_error>

namespace godwit::text {

enum class Errc {
  kBadDomain = 1,  // not a domain name, also after IDNA: bad octets, label or length
  kBadBase64,      // an octet outside the alphabet, or wrong padding
};

const std::error_category& category();
inline std::error_code make_error_code(Errc code) {
  return {static_cast<int>(code), category()};
}

}  // namespace godwit::text

template <>
struct std::is_error_code_enum<godwit::text::Errc> : std::true_type {};
