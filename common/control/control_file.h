#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/config/node.h"
#include "common/control/snapshot.h"

namespace godwit::control {

// What parsing a control file gives.
struct ParsedControl {
  Content
      content;  // as written: domains as A-labels, paths absolute. Empty when there are problems
  // The kinds that the file speaks of; of the others it says nothing. Told with problems too.
  struct Named {
    bool tenants = false;
    bool sources = false;
    bool pools = false;
    bool shaping = false;
    bool placement = false;
  } named;
  config::Problems problems;
  config::Problems notices;  // keys of the contract that have no effect yet: one log line each
};

// Reads the YAML of docs/control.md.
//
// Input     the text, and the name of its file: shown in problems; relative paths inside are relative to its directory.
//           `beside`: what is there besides and stays: names may be of it, and may not be taken again; a tenant of the
//           file replaces the one beside it
// Output    the content, or all problems at once, each with its line and column
// Limits    as config::parse_yaml; the files it names (keys) are not opened here
// Threads   pure
[[nodiscard]] ParsedControl parse_control(std::string_view yaml, const std::filesystem::path& file,
                                          const Content& beside = {});

// Reads a control file's text. Errors: kUnreadable.
[[nodiscard]] Result<std::string> read_control_file(const std::filesystem::path& file);

// One problem a line.
[[nodiscard]] std::string joined(const config::Problems& problems);

// The content as a control file that parse_control() reads as the same, an object a line or two: what tools compare.
// Secrets are written as they are in `content`.
[[nodiscard]] std::string print_control(const Content& content);

}  // namespace godwit::control
