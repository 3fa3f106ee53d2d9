#pragma once

#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <string>

namespace godwit::ingress {

// The cheapest one that there is.
inline std::string password_hash(const std::string& password) {
  EXPECT_GE(sodium_init(), 0);
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  EXPECT_EQ(crypto_pwhash_str(hash.data(), password.data(), password.size(),
                              crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN),
            0);
  return hash.data();
}

}  // namespace godwit::ingress
