#include "common/control/file_control.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/control/errc.h"

namespace godwit::control {
namespace {

Result<std::string> read_text(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::error_code error;
  if (!in || std::filesystem::is_directory(path, error)) {
    const int code = errno != 0 ? errno : EISDIR;
    return fail(Errc::kUnreadable, path.string() + ": " + std::strerror(code));
  }
  // One octet more than may be there is enough to be refused.
  std::string text(config::kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail(Errc::kUnreadable, path.string() + ": " + std::strerror(errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::string joined(const config::Problems& problems) {
  std::string out;
  for (const config::Problem& problem : problems) {
    if (!out.empty()) out += '\n';
    out += problem.to_string();
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<FileControl>> FileControl::load(std::filesystem::path file) {
  std::unique_ptr<FileControl> control(new FileControl(std::move(file)));
  TRY_VOID(control->reload());
  return control;
}

std::unique_ptr<FileControl> FileControl::defaults() {
  std::unique_ptr<FileControl> control(new FileControl({}));
  control->current_ = default_snapshot();
  return control;
}

SnapshotPtr FileControl::current() const {
  return current_.load();
}

Result<void> FileControl::reload() {
  if (file_.empty()) return {};
  const std::lock_guard lock(reload_);
  TRY(const std::string text, read_text(file_));
  ParsedControl parsed = parse_control(text, file_);
  if (!parsed.problems.empty()) return fail(Errc::kBadFile, joined(parsed.problems));
  const SnapshotPtr before = current_.load();
  parsed.snapshot->version = before == nullptr ? 1 : before->version + 1;
  current_ = std::move(parsed.snapshot);
  const std::lock_guard notices_lock(notices_lock_);
  notices_ = std::move(parsed.notices);
  return {};
}

config::Problems FileControl::notices() const {
  const std::lock_guard lock(notices_lock_);
  return notices_;
}

}  // namespace godwit::control
