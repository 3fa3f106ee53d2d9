#include "common/control/file_control.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "common/control/change.h"
#include "common/control/errc.h"

namespace godwit::control {

Result<std::string> read_control_file(const std::filesystem::path& path) {
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
  TRY(const std::string text, read_control_file(file_));
  ParsedControl parsed = parse_control(text, file_);
  if (!parsed.problems.empty()) return fail(Errc::kBadFile, joined(parsed.problems));
  const SnapshotPtr before = current_.load();
  auto snapshot = make_snapshot(parsed.content);
  snapshot->version = before == nullptr ? 1 : before->version + 1;
  current_ = std::move(snapshot);
  const std::lock_guard loaded_lock(loaded_lock_);
  notices_ = std::move(parsed.notices);
  content_ = std::move(parsed.content);
  return {};
}

config::Problems FileControl::notices() const {
  const std::lock_guard lock(loaded_lock_);
  return notices_;
}

Content FileControl::content() const {
  const std::lock_guard lock(loaded_lock_);
  return content_;
}

Result<ChangePlan> FileControl::diff(const ChangeRequest& request) {
  Content now = content();
  // Only hashes are compared and shown. A hash that the request has and that fits the plain password in force is
  // taken for it: one with a salt of its own would be another password each time.
  TRY_VOID(hash_secrets(now, parse_control(request.text, request.file, now).content));
  TRY(Change change, plan_change(now, objects_of(now), request, Timestamp{}));
  return std::move(change.plan);
}

Result<Applied> FileControl::apply(const ChangeRequest& /*request*/, const Announce& /*announce*/) {
  if (file_.empty()) return fail(Errc::kReadOnly, "control.mode is file, and no file is named");
  return fail(
      Errc::kReadOnly,
      fmt::format("control.mode is file: change {} and `godwit ctl reload`", file_.string()));
}

Result<std::string> FileControl::to_yaml() {
  Content now = content();
  TRY_VOID(hash_secrets(now, {}));
  return print_control(now);
}

}  // namespace godwit::control
