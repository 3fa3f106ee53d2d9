#include "common/observe/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "common/observe/json_text.h"

namespace godwit::observe {
namespace {

std::atomic<Level> process_level{Level::kInfo};

// The writer thread's end: one write a line, whole, to standard error.
class StandardError final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    line_.assign(message.payload.data(), message.payload.size());
    line_ += '\n';
    std::size_t done = 0;
    while (done < line_.size()) {
      const ssize_t written = ::write(STDERR_FILENO, line_.data() + done, line_.size() - done);
      if (written < 0 && errno != EINTR) break;  // nobody to tell
      if (written > 0) done += static_cast<std::size_t>(written);
    }
    written_.fetch_add(1, std::memory_order_release);
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
  [[nodiscard]] std::uint64_t written() const { return written_.load(std::memory_order_acquire); }

 private:
  std::string line_;  // of the writer thread
  std::atomic<std::uint64_t> written_{0};
};

// Where lines go: standard error through a bounded queue and one thread, or a test's sink.
class Output {
 public:
  // Never destroyed: threads may log until the process is gone.
  static Output& get() {
    static auto* const output = new Output;
    return *output;
  }

  void write(std::string_view line) {
    if (capturing_.load(std::memory_order_acquire)) {
      const std::lock_guard lock(capture_mutex_);
      if (capture_) return capture_(line);
    }
    queued_.fetch_add(1, std::memory_order_relaxed);
    logger_->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  }
  void capture(LogCapture::Sink sink) {
    const std::lock_guard lock(capture_mutex_);
    capturing_.store(static_cast<bool>(sink), std::memory_order_release);
    capture_ = std::move(sink);
  }
  void drain() {
    constexpr auto kWaitMax =
        std::chrono::seconds(2);  // a reader that is stuck must not hold up the end
    const std::uint64_t queued = queued_.load(std::memory_order_relaxed);
    const Instant end = system_clock().instant() + kWaitMax;
    while (sink_->written() + dropped() < queued && system_clock().instant() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  [[nodiscard]] std::uint64_t dropped() const { return pool_->overrun_counter(); }

 private:
  static constexpr std::size_t kQueuedLinesMax = 1024;  // 448 octets each, allocated at the start

  Output()
      : sink_(std::make_shared<StandardError>()),
        pool_(std::make_shared<spdlog::details::thread_pool>(kQueuedLinesMax, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "godwit", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest)) {
    logger_->set_level(spdlog::level::trace);
  }

  const std::shared_ptr<StandardError> sink_;
  const std::shared_ptr<spdlog::details::thread_pool> pool_;
  const std::shared_ptr<spdlog::async_logger> logger_;
  std::atomic<std::uint64_t> queued_{0};
  std::mutex capture_mutex_;
  std::atomic<bool> capturing_{false};
  LogCapture::Sink capture_;
};

void append_value(std::string& line, const LogField::Value& value) {
  struct Visitor {
    std::string& line;
    void operator()(std::string_view text) const {
      append_json_string(line, text, kLogTextBytesMax);
    }
    void operator()(Personal text) const { append_json_string(line, text.text, kLogTextBytesMax); }
    void operator()(std::int64_t number) const { line += std::to_string(number); }
    void operator()(std::uint64_t number) const { line += std::to_string(number); }
    void operator()(bool flag) const { line += flag ? "true" : "false"; }
    void operator()(double number) const {
      line += std::isfinite(number) ? fmt::format("{}", number) : "null";  // JSON has no infinity
    }
  };
  std::visit(Visitor{line}, value);
}

}  // namespace

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
    case Level::kOff: return "off";
  }
  return "off";
}

std::optional<Level> level_from_name(std::string_view name) {
  for (const Level level :
       {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError, Level::kOff}) {
    if (level_name(level) == name) return level;
  }
  return std::nullopt;
}

std::string format_line(Timestamp time, Level level, std::string_view module, std::string_view msg,
                        LogFields fields, bool with_personal) {
  std::string line;
  line.reserve(256);
  line += R"({"time":")";
  append_rfc3339(line, time);
  line += R"(","level":")";
  line += level_name(level);
  line += R"(","module":)";
  append_json_string(line, module, kLogTextBytesMax);
  line += R"(,"msg":)";
  append_json_string(line, msg, kLogTextBytesMax);
  for (const LogField& field : fields) {
    const LogField::Value value = field.value();
    if (std::holds_alternative<Personal>(value) && !with_personal) continue;
    const std::size_t before = line.size();
    line += ',';
    append_json_string(line, field.key(), kLogTextBytesMax);
    line += ':';
    append_value(line, value);
    if (line.size() > kLogLineBytesMax) {
      line.resize(before);
      line += R"(,"cut":true)";
      break;
    }
  }
  line += '}';
  return line;
}

bool Logger::enabled(Level level) {
  return level >= process_level.load(std::memory_order_relaxed) && level != Level::kOff;
}

void Logger::write(Level level, std::string_view msg, LogFields fields) const {
  const bool with_personal = process_level.load(std::memory_order_relaxed) == Level::kDebug;
  Output::get().write(
      format_line(system_clock().now(), level, module_, msg, fields, with_personal));
}

void set_level(Level level) {
  process_level = level;
}
Level level() {
  return process_level;
}
void flush_logs() {
  Output::get().drain();
}
std::uint64_t lines_dropped() {
  return Output::get().dropped();
}

LogCapture::LogCapture(Sink sink, Level level) : level_before_(observe::level()) {
  Output::get().capture(std::move(sink));
  set_level(level);
}

LogCapture::~LogCapture() {
  set_level(level_before_);
  Output::get().capture({});
}

}  // namespace godwit::observe
