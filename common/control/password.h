#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace godwit::control {

// Compares what a client sent with what the control data holds.
//
// stored    "$argon2id$..." (or "$argon2i$...") is verified by libsodium; anything else is plain
//           text, for trials, compared in constant time
// Cost      argon2 takes tens of milliseconds of CPU and the memory its text says: call it on a
//           blocking pool, with few at once. Hashes that ask for more than 256 MiB are refused.
// Threads   any
[[nodiscard]] bool verify_password(std::string_view stored, std::string_view presented);

// True when verify_password() would do expensive work.
[[nodiscard]] bool is_password_hash(std::string_view stored);

// Spends what verifying a hash costs: for unknown user names, so that the time does not tell them
// apart.
void waste_password_time(std::string_view presented);

// "sha256:<hex>" or plain text; both in constant time. For API keys, which are random and need no
// slow hash.
[[nodiscard]] bool verify_api_key(std::string_view stored, std::string_view presented);

// The argon2id hash of a password, with a salt of its own. Costs what verifying does.
// Errors: std::errc::not_enough_memory when so much memory is not there.
[[nodiscard]] Result<std::string> hash_password(std::string_view password);
// "sha256:<hex>".
[[nodiscard]] std::string hash_api_key(std::string_view key);
[[nodiscard]] bool is_api_key_hash(std::string_view stored);

}  // namespace godwit::control
