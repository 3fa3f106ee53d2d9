#pragma once

#include <fmt/format.h>

#include <string_view>

namespace godwit {

// Writes "file:line: CHECK(condition) failed: message" to standard error and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               std::string_view message);

}  // namespace godwit

// CHECK(condition, "format", args...): an invariant of ours. When it does not hold the process stops,
// in every build. Never for what a peer, a file or an operator can cause: that is a Result.
#define CHECK(condition, ...)                                                                \
  do {                                                                                       \
    if (!(condition)) [[unlikely]]                                                           \
      ::godwit::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)
