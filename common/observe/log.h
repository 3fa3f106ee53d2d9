#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/clock.h"
#include "common/base/result.h"

// One JSON object a line on standard error, for each event that matters:
//
//     inline const observe::Logger kLog{"ingress"};      // one a module
//     kLog.info("message accepted",
//               {{"session", id}, {"bytes", size}, {"sender", observe::personal(from)}});
//
//     {"time":"2026-01-02T03:04:05.678Z","level":"info","module":"ingress",
//      "msg":"message accepted","session":"..."}                         (on one line)
//
// Content    `msg` is a fixed text; what varies goes into fields. Text is escaped (invalid UTF-8
//            becomes U+FFFD) and cut at kLogTextBytesMax. Message content is never logged.
// Addresses  wrap what names a person in personal(): written at level debug only, which is off by
//            default.
// Cost       a call below the level costs one relaxed load; arguments are built by the caller, so
//            guard what is expensive with enabled().
// Threads    any. A line is handed to one writer thread through a bounded queue; when the reader of
//            standard error is slow the oldest lines are dropped and counted (lines_dropped()),
//            nobody waits.
namespace godwit::observe {

enum class Level : std::uint8_t { kDebug, kInfo, kWarning, kError, kOff };
[[nodiscard]] std::string_view level_name(Level level);
[[nodiscard]] std::optional<Level> level_from_name(std::string_view name);

inline constexpr std::size_t kLogTextBytesMax = 1024;  // of one field
inline constexpr std::size_t kLogLineBytesMax =
    16384;  // further fields are left out, and "cut":true says so

struct Personal {
  std::string_view text;
};
[[nodiscard]] inline Personal personal(std::string_view address) {
  return {address};
}

// One field of a line. Borrows its text until the call returns.
class LogField {
 public:
  using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool, Personal>;

  LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  LogField(std::string_view key, const char* value) : key_(key), value_(std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value)
      : key_(key), value_(std::string_view(value)) {}
  LogField(std::string_view key, bool value) : key_(key), value_(value) {}
  LogField(std::string_view key, double value) : key_(key), value_(value) {}
  LogField(std::string_view key, Personal value) : key_(key), value_(value) {}
  template <std::signed_integral T>
  LogField(std::string_view key, T value) : key_(key), value_(static_cast<std::int64_t>(value)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view key, T value) : key_(key), value_(static_cast<std::uint64_t>(value)) {}
  // In milliseconds; name the key `..._ms`.
  LogField(std::string_view key, Duration value)
      : key_(key), value_(std::chrono::duration<double, std::milli>(value).count()) {}
  // The whole text of an error. Made here, so it may be a temporary.
  LogField(std::string_view key, const Error& error) : key_(key), owned_(error.to_string()) {}

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] Value value() const { return owned_ ? Value(std::string_view(*owned_)) : value_; }

 private:
  std::string_view key_;
  Value value_;
  std::optional<std::string> owned_;
};
using LogFields = std::initializer_list<LogField>;

// A module's logger: a name. Cheap to copy; make it a constant of the module.
class Logger {
 public:
  explicit constexpr Logger(std::string_view module) : module_(module) {}

  void debug(std::string_view msg, LogFields fields = {}) const { log(Level::kDebug, msg, fields); }
  void info(std::string_view msg, LogFields fields = {}) const { log(Level::kInfo, msg, fields); }
  void warning(std::string_view msg, LogFields fields = {}) const {
    log(Level::kWarning, msg, fields);
  }
  void error(std::string_view msg, LogFields fields = {}) const { log(Level::kError, msg, fields); }

  [[nodiscard]] static bool enabled(Level level);
  void log(Level level, std::string_view msg, LogFields fields) const {
    if (enabled(level)) write(level, msg, fields);
  }

 private:
  void write(Level level, std::string_view msg, LogFields fields) const;

  std::string_view module_;
};

// The level of the whole process; kInfo at first. Lines below it are not made.
void set_level(Level level);
[[nodiscard]] Level level();

// Waits until every line so far is written. At the end of main and before an intended abort.
void flush_logs();
[[nodiscard]] std::uint64_t lines_dropped();

// For tests: lines go to `sink` (without the line feed), on the calling thread, for the life of the
// object.
class LogCapture {
 public:
  using Sink = std::function<void(std::string_view line)>;
  explicit LogCapture(Sink sink, Level level = Level::kDebug);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

 private:
  Level level_before_;
};

// One line of JSON, without a line feed; what the loggers write. Pure.
[[nodiscard]] std::string format_line(Timestamp time, Level level, std::string_view module,
                                      std::string_view msg, LogFields fields, bool with_personal);

}  // namespace godwit::observe
