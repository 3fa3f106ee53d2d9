#include "common/control/password.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <string>

namespace godwit::control {
namespace {

std::string hash_of(std::string_view password) {
  EXPECT_GE(sodium_init(), 0);
  std::string out(crypto_pwhash_STRBYTES, '\0');
  // The smallest there is: tests are not the place to burn time.
  EXPECT_EQ(crypto_pwhash_str(out.data(), password.data(), password.size(),
                              crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN),
            0);
  return out.c_str();
}

TEST(Password, AHashTakesItsPasswordOnly) {
  const std::string hash = hash_of("secret");
  EXPECT_TRUE(is_password_hash(hash));
  EXPECT_FALSE(verify_password(hash, "Secret"));
  EXPECT_FALSE(verify_password(hash, ""));
  EXPECT_FALSE(verify_password(hash, hash));  // the hash is not the password
  EXPECT_TRUE(verify_password(hash, "secret"));
  // A tag of the wrong length.
  EXPECT_FALSE(verify_password("$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$AAAA", "secret"));
}

TEST(Password, AHashThatAsksForTooMuchIsRefused) {
  std::string hash = hash_of("secret");
  const std::size_t memory = hash.find("m=");
  const std::size_t comma = hash.find(',', memory);
  EXPECT_FALSE(
      verify_password(std::string(hash).replace(memory, comma - memory, "m=4194304"), "secret"));
  EXPECT_FALSE(verify_password(std::string(hash).replace(comma, 4, ",t=4000000"), "secret"));
  EXPECT_FALSE(verify_password("$argon2id$", "secret"));
  EXPECT_FALSE(verify_password("$argon2id$" + std::string(1'000, 'a'), "secret"));
  EXPECT_FALSE(verify_password("$argon2id$v=19$m=,t=,p=$", "secret"));
}

TEST(Password, PlainTextIsForTrials) {
  EXPECT_FALSE(is_password_hash("secret"));
  EXPECT_TRUE(verify_password("secret", "secret"));
  EXPECT_FALSE(verify_password("secret", "secret "));
  EXPECT_FALSE(verify_password("secret", std::string_view("secret\0", 7)));
  waste_password_time("anything");
}

TEST(ApiKey, IsComparedAsWrittenOrByItsHash) {
  EXPECT_TRUE(verify_api_key("key", "key"));
  EXPECT_FALSE(verify_api_key("key", "kez"));
  // sha256("key")
  const std::string stored =
      "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
  EXPECT_TRUE(verify_api_key(stored, "key"));
  EXPECT_FALSE(verify_api_key(stored, stored));
  EXPECT_FALSE(verify_api_key(stored.substr(0, stored.size() - 2), "key"));
  EXPECT_FALSE(verify_api_key(stored + "00", "key"));
  EXPECT_FALSE(verify_api_key("sha256:", ""));
}

}  // namespace
}  // namespace godwit::control
