#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/fields.h"

namespace godwit::config {

// What reading a file came to. `problems` empty: the struct is filled and valid. Otherwise its
// content is unspecified. `notices` name keys that are accepted and have no effect yet; log one
// line each.
struct Outcome {
  Problems problems;
  Problems notices;

  [[nodiscard]] bool ok() const { return problems.empty(); }
  // One problem a line.
  [[nodiscard]] std::string to_string() const;
};

// Reads YAML into a described struct, over its defaults.
//
// Input     the path, or the text and the name to show for it; relative paths inside are relative
//           to its directory
// Output    all problems at once, in the order of the file
// Limits    kFileBytesMax, kNodesMax, kDepthMax
// Threads   pure, but for the file
[[nodiscard]] Outcome read_file(const std::filesystem::path& path, Fields& fields);
[[nodiscard]] Outcome read_text(std::string_view text, const std::filesystem::path& name,
                                Fields& fields);

template <Described T>
[[nodiscard]] Outcome read_file(const std::filesystem::path& path, T& config) {
  Fields fields;
  describe(fields, config);
  return read_file(path, fields);
}
template <Described T>
[[nodiscard]] Outcome read_text(std::string_view text, const std::filesystem::path& name,
                                T& config) {
  Fields fields;
  describe(fields, config);
  return read_text(text, name, fields);
}

}  // namespace godwit::config
