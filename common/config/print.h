#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/fields.h"

namespace godwit::config {

// The struct as YAML with each key's sentence, type, range and restart note as a comment above it.
// Reading the text gives the same struct. Lists and maps of structs that are empty show one entry,
// commented out.
[[nodiscard]] std::string print_yaml(const Fields& fields);

// The keys as a Markdown table, one line a key, nested keys dotted ("ingress.smtp[].listen"): the
// reference.
[[nodiscard]] std::string print_reference(const Fields& fields);

// A value on one line, in flow style, and a key as it stands before a colon: read again they are the same.
// Secrets are written: `print_shown` writes "(secret)" instead.
[[nodiscard]] std::string print_inline(const Node& node);
[[nodiscard]] std::string print_shown(const Node& node);
[[nodiscard]] std::string print_key(std::string_view key);

// One key whose value differs between two structs of a kind.
struct Change {
  std::string key;
  std::string before;  // "(secret)" for hidden keys
  std::string after;
  bool needs_restart = false;
};
// What a reload would change, key by key; lists and maps are compared as a whole.
[[nodiscard]] std::vector<Change> differences(const Fields& before, const Fields& after);

}  // namespace godwit::config
