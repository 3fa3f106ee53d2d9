#include "common/text/base64.h"

#include <sodium.h>

#include <algorithm>

#include "common/base/check.h"
#include "common/text/errc.h"

namespace godwit::text {

std::string base64_encode(std::string_view octets) {
  std::string out(sodium_base64_ENCODED_LEN(octets.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(octets.data()),
                    octets.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // libsodium's NUL
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  // libsodium 1.0.18 compares characters as negative numbers above 0x7f, and takes some for digits.
  const auto is_ascii = [](char octet) { return static_cast<unsigned char>(octet) < 0x80; };
  if (!std::ranges::all_of(text, is_ascii)) return fail(Errc::kBadBase64);
  std::string out(text.size() / 4 * 3 + 3, '\0');
  std::size_t length = 0;
  const char* end = nullptr;
  const int status =
      sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                        text.size(), nullptr, &length, &end, sodium_base64_VARIANT_ORIGINAL);
  if (status != 0 || end != text.data() + text.size()) return fail(Errc::kBadBase64);
  out.resize(length);
  return out;
}

}  // namespace godwit::text
