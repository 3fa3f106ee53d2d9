#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace godwit::config {

// Where in a file something stands; both count from 1. 0: nowhere (the key is absent).
struct Mark {
  int line = 0;
  int column = 0;
  bool operator==(const Mark&) const = default;
};

// One thing that is wrong with a file, or worth saying about it.
struct Problem {
  std::string file;
  Mark mark;
  std::string key;    // "ingress.smtp[0].listen"; empty: the file as a whole
  std::string what;   // what is wrong
  std::string right;  // what would be right; may be empty

  // "godwit.yaml:4:7: ingress.smtp[0].lisen: unknown key; did you mean `listen`?"
  [[nodiscard]] std::string to_string() const;
};
using Problems = std::vector<Problem>;

// YAML as a plain tree, each part with its place in the file. Aliases are resolved.
struct Entry;
struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Mark mark;
  std::string text;            // kScalar
  bool quoted = false;         // kScalar: "12" in quotes is text, never a number
  bool secret = false;         // of a hidden key: never shown
  std::vector<Node> items;     // kList
  std::vector<Entry> entries;  // kMap, in the order of the file, keys distinct

  [[nodiscard]] static Node scalar(std::string text);  // plain: 12, true
  [[nodiscard]] static Node string(std::string text);  // quoted
  [[nodiscard]] static Node list();
  [[nodiscard]] static Node map();
  [[nodiscard]] const Node* find(std::string_view key) const;
  // "text", "a list", "a map", "nothing": for messages.
  [[nodiscard]] std::string_view kind_name() const;
};

struct Entry {
  std::string key;
  Mark mark;
  Node value;
};

inline constexpr std::size_t kFileBytesMax = 16u << 20;
inline constexpr std::size_t kNodesMax = 1'000'000;  // after aliases are resolved
inline constexpr int kDepthMax = 32;

// Parses one YAML document.
//
// Input     the text; `file` only names it in problems
// Output    the tree; an empty document is kNull
// Errors    one Problem for a syntax error (the rest of the file is then unknown), and one for each
//           duplicate key, second document, key that is not text, or limit that is exceeded
// Threads   pure
[[nodiscard]] Node parse_yaml(std::string_view text, std::string_view file, Problems& problems);

// The candidate that a person who wrote `wrong` most likely meant: a small edit distance, or none.
[[nodiscard]] std::optional<std::string_view> nearest(
    std::string_view wrong, const std::vector<std::string_view>& candidates);

}  // namespace godwit::config
