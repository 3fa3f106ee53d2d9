#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace godwit {

// What the world did to us: a file that cannot be written, a peer that went away, text that does not parse.
//
// `code` comes from the error enum of the module that noticed (each has an errc.h, or `std::errc`);
// callers decide by it. `context` is for people: the nouns, added once, by the layer that knows them.
// Outcomes (a 550 from a remote host) are values, never errors; broken invariants are CHECKs.
struct Error {
  std::error_code code;
  std::string context;

  // "context: message of the code", for logs and the terminal. Never sent to an SMTP or HTTP peer.
  [[nodiscard]] std::string to_string() const {
    return context.empty() ? code.message() : context + ": " + code.message();
  }

  // The same error seen from one layer higher: `outer` goes in front of the context.
  [[nodiscard]] Error within(std::string_view outer) && {
    context = context.empty() ? std::string(outer) : std::string(outer) + ": " + context;
    return std::move(*this);
  }
};

template <class T = void>
using Result = std::expected<T, Error>;

// fail(log::Errc::kNoSpace, "segment 12") is the unexpected half of any Result.
inline std::unexpected<Error> fail(std::error_code code, std::string context = {}) {
  return std::unexpected<Error>(Error{code, std::move(context)});
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

}  // namespace godwit

#define GODWIT_CONCAT_2(a, b) a##b
#define GODWIT_CONCAT(a, b) GODWIT_CONCAT_2(a, b)

// TRY(declaration, expression): binds the value of a Result, or returns its error.
//     TRY(auto file, open(path));
// TRY_VOID(expression): the same for Result<void>. The CO_ forms serve coroutines.
#define GODWIT_TRY(tmp, declaration, expression, return_)   \
  auto tmp = (expression);                                  \
  if (!tmp) return_ ::godwit::fail(std::move(tmp).error()); \
  declaration = *std::move(tmp)
#define TRY(declaration, ...) \
  GODWIT_TRY(GODWIT_CONCAT(try_result_, __COUNTER__), declaration, (__VA_ARGS__), return)
#define CO_TRY(declaration, ...) \
  GODWIT_TRY(GODWIT_CONCAT(try_result_, __COUNTER__), declaration, (__VA_ARGS__), co_return)
#define TRY_VOID(...)                               \
  if (auto try_result = (__VA_ARGS__); !try_result) \
  return ::godwit::fail(std::move(try_result).error())
#define CO_TRY_VOID(...)                            \
  if (auto try_result = (__VA_ARGS__); !try_result) \
  co_return ::godwit::fail(std::move(try_result).error())
