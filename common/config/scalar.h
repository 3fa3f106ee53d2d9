#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/base/ids.h"

namespace godwit::config {

// Why a text is not a value: "`abc` is not a number", and what would be right: "a whole number from
// 1 to 10".
struct Wrong {
  std::string what;
  std::string right;
};

// Scalar<T> says how one YAML scalar becomes a T and back. Specialise it beside the type for values
// of your own (a rate, a network, an address):
//
//     template <> struct config::Scalar<Rate> {
//       static constexpr std::string_view kType = "rate";                 // for the reference
//       static std::expected<Rate, Wrong> parse(std::string_view text);
//       static std::string render(const Rate& rate);                      // parse(render(x)) == x
//     };
template <class T>
struct Scalar;

template <class T>
concept HasScalar = requires(const T& value, std::string_view text) {
  { Scalar<T>::parse(text) } -> std::same_as<std::expected<T, Wrong>>;
  { Scalar<T>::render(value) } -> std::convertible_to<std::string>;
};

// An enumeration names its values by a function beside it, found by its argument:
//     constexpr auto config_names(Kind) {
//       return std::to_array<config::EnumName<Kind>>({{"relay", Kind::kRelay},
//                                                     {"inbound", Kind::kInbound}});
//     }
template <class E>
struct EnumName {
  std::string_view text;
  E value;
};

// "127.0.0.1:2525", "[::1]:25", "mail.example:25": text only, nothing is resolved here. Port 0 is
// allowed.
struct HostPort {
  std::string host;  // without brackets; empty (with port 0): not set, written ""
  std::uint16_t port = 0;

  [[nodiscard]] bool empty() const { return host.empty(); }
  [[nodiscard]] std::string to_text() const;
  bool operator==(const HostPort&) const = default;
};

// The parsers behind the specialisations; pure.
[[nodiscard]] std::expected<bool, Wrong> parse_bool(std::string_view text);
[[nodiscard]] std::expected<double, Wrong> parse_number(std::string_view text);
// "20m", "1h30m", "100ms", "5d"; units ms s m h d; a bare number only when it is 0. In
// milliseconds, not negative.
[[nodiscard]] std::expected<std::chrono::milliseconds, Wrong> parse_duration(std::string_view text);
[[nodiscard]] std::string render_duration(std::chrono::milliseconds value);
// "512", "64KiB", "35 MiB", "1GB"; KiB MiB GiB TiB are powers of 1024, kB MB GB TB of 1000.
[[nodiscard]] std::expected<std::uint64_t, Wrong> parse_bytes(std::string_view text);
[[nodiscard]] std::string render_bytes(std::uint64_t value);
[[nodiscard]] std::expected<HostPort, Wrong> parse_host_port(std::string_view text);
[[nodiscard]] Wrong wrong_integer(std::string_view text, std::string_view low,
                                  std::string_view high);
[[nodiscard]] std::string quote(
    std::string_view text);  // `text`, bounded and escaped, for messages

template <>
struct Scalar<bool> {
  static constexpr std::string_view kType = "true or false";
  static std::expected<bool, Wrong> parse(std::string_view text) { return parse_bool(text); }
  static std::string render(bool value) { return value ? "true" : "false"; }
};

template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>)
struct Scalar<T> {
  static constexpr std::string_view kType = "whole number";
  static std::expected<T, Wrong> parse(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
      return std::unexpected(wrong_integer(text, std::to_string(std::numeric_limits<T>::min()),
                                           std::to_string(std::numeric_limits<T>::max())));
    }
    return value;
  }
  static std::string render(T value) { return std::to_string(value); }
};

template <>
struct Scalar<double> {
  static constexpr std::string_view kType = "number";
  static std::expected<double, Wrong> parse(std::string_view text) { return parse_number(text); }
  static std::string render(double value);
};

template <>
struct Scalar<std::string> {
  static constexpr std::string_view kType = "text";
  static std::expected<std::string, Wrong> parse(std::string_view text) {
    return std::string(text);
  }
  static std::string render(const std::string& value) { return value; }
};

// A relative path is relative to the directory of the file it stands in; after reading it is
// absolute.
template <>
struct Scalar<std::filesystem::path> {
  static constexpr std::string_view kType = "path";
  static std::expected<std::filesystem::path, Wrong> parse(std::string_view text) {
    return std::filesystem::path(text);
  }
  static std::string render(const std::filesystem::path& value) { return value.string(); }
};

template <class Tag>
struct Scalar<Name<Tag>> {
  static constexpr std::string_view kType = "name";
  static std::expected<Name<Tag>, Wrong> parse(std::string_view text) {
    return Name<Tag>(std::string(text));
  }
  static std::string render(const Name<Tag>& value) { return value.text(); }
};

template <class Rep, class Period>
struct Scalar<std::chrono::duration<Rep, Period>> {
  using Value = std::chrono::duration<Rep, Period>;
  static constexpr std::string_view kType = "duration";
  static std::expected<Value, Wrong> parse(std::string_view text) {
    const auto ms = parse_duration(text);
    if (!ms) return std::unexpected(ms.error());
    const auto value = std::chrono::duration_cast<Value>(*ms);
    if (value != *ms) {
      return std::unexpected(
          Wrong{quote(text) + " is too fine for this key", "a multiple of " + render(Value{1})});
    }
    return value;
  }
  static std::string render(Value value) {
    return render_duration(std::chrono::duration_cast<std::chrono::milliseconds>(value));
  }
};

template <>
struct Scalar<HostPort> {
  static constexpr std::string_view kType = "host:port";
  static std::expected<HostPort, Wrong> parse(std::string_view text) {
    return parse_host_port(text);
  }
  static std::string render(const HostPort& value) { return value.to_text(); }
};

[[nodiscard]] Wrong wrong_name(std::string_view text, const std::vector<std::string_view>& names);

template <class E>
  requires requires(E value) { config_names(value)[0].value; }
struct Scalar<E> {
  static constexpr std::string_view kType = "one of";
  static std::expected<E, Wrong> parse(std::string_view text) {
    for (const auto& name : config_names(E{})) {
      if (name.text == text) return name.value;
    }
    return std::unexpected(wrong_name(text, names()));
  }
  static std::string render(E value) {
    for (const auto& name : config_names(E{})) {
      if (name.value == value) return std::string(name.text);
    }
    return "?";
  }
  static std::vector<std::string_view> names() {
    std::vector<std::string_view> all;
    for (const auto& name : config_names(E{})) all.push_back(name.text);
    return all;
  }
};

}  // namespace godwit::config
