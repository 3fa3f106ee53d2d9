#pragma once

#include <optional>
#include <string>

#include "common/config/node.h"
#include "common/config/reading.h"

// Where the text of a hidden key (FieldOf::hide) comes from when it does not stand in the file
// itself, so that the file can be shown, kept and mounted apart from its secrets:
//
//     password: {file: /run/secrets/relay}   the one line of a file; relative paths as everywhere
//     password: {env: RELAY_PASSWORD}        a variable of the environment
namespace godwit::config {

inline constexpr std::size_t kSecretBytesMax = 64 << 10;

// Input     a map with one of the keys `file` and `env`
// Output    the text, without the newline at the end of a file
// Errors    nullopt and a problem that names the key and the place; never what was found there. The
//           text must be one line, not empty and at most kSecretBytesMax octets
// Threads   pure, but for the file and the environment, which nobody may change meanwhile
[[nodiscard]] std::optional<std::string> read_secret(const Node& node, Reading& reading);

}  // namespace godwit::config
