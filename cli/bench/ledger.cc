#include "cli/bench/ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace godwit::cli::bench {
namespace {
constexpr std::size_t kBufferMax = 256 * 1024;
}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return fail(std::error_code(errno, std::generic_category()), "ledger " + path);
  return std::unique_ptr<Ledger>(new Ledger(fd));
}

Ledger::~Ledger() {
  flush();
  ::close(fd_);
}

void Ledger::add(std::string_view line) {
  const std::lock_guard lock(mutex_);
  buffer_ += line;
  buffer_ += '\n';
  if (buffer_.size() >= kBufferMax) write_out();
}

void Ledger::flush() {
  const std::lock_guard lock(mutex_);
  write_out();
}

Result<void> Ledger::status() const {
  const std::lock_guard lock(mutex_);
  if (error_ != 0) return fail(std::error_code(error_, std::generic_category()), "ledger");
  return {};
}

void Ledger::write_out() {
  std::string_view rest = buffer_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
}

}  // namespace godwit::cli::bench
