#include "cli/admin/ctl_control.h"

#include <fmt/format.h>

#include <ostream>
#include <system_error>

#include "cli/admin/answer.h"
#include "common/control/control_file.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

constexpr std::size_t kTextBytesMax = 2'000;

std::string shown(std::string_view text) {
  return text::printable(text, kTextBytesMax);
}

Json json_of(const operate::ControlAnswer& answer) {
  Json json{{"changes", Json::array()},
            {"left", answer.left},
            {"version", answer.version},
            {"batch", answer.batch},
            {"notices", answer.notices}};
  for (const auto& change : answer.changes) {
    json["changes"].push_back({{"what", change.what},
                               {"kind", change.kind},
                               {"name", change.name},
                               {"details", change.details}});
  }
  return json;
}

void print(const operate::ControlAnswer& answer, Io io) {
  for (const std::string& notice : answer.notices) io.err << shown(notice) << '\n';
  for (const auto& change : answer.changes) {
    const char mark = change.what == "added" ? '+' : change.what == "removed" ? '-' : '~';
    io.out << fmt::format("{} {} {}\n", mark, change.kind, shown(change.name));
    for (const std::string& detail : change.details)
      io.out << fmt::format("    {}\n", shown(detail));
  }
  if (answer.left.empty()) return;
  io.err << "not in the file, and left as they are (--prune removes them):";
  for (const std::string& object : answer.left) io.err << ' ' << shown(object) << ';';
  io.err << '\n';
}

// A wrong file is an answer; that nobody answers is none.
int refused(const Error& error, Io io) {
  io.err << "godwit ctl: " << error.to_string() << '\n';
  return error.code == operate::Errc::kInvalid ? kAnswerIsNo : kCouldNotRun;
}

struct Asked {
  operate::Client client;
  std::string file;  // absolute: what it names is relative to where it is here
  std::string text;
};
Result<Asked> ask(const ControlOptions& options, const Target& target) {
  TRY(std::string text, control::read_control_file(options.file));
  TRY(auto client, connect(target));
  std::error_code ignored;
  return Asked{std::move(client), std::filesystem::absolute(options.file, ignored).string(),
               std::move(text)};
}

}  // namespace

int ctl_apply(const ControlOptions& options, const Target& target, Io io) {
  auto asked = ask(options, target);
  if (!asked) return could_not(asked.error(), io);
  const auto answer =
      asked->client.control_apply(asked->file, asked->text, options.prune, options.reason);
  if (!answer) return refused(answer.error(), io);
  if (options.json) return say(json_of(*answer), io);
  print(*answer, io);
  if (answer->changes.empty()) {
    io.out << fmt::format("nothing to change: version {} is in force\n", answer->version);
  } else {
    io.out << fmt::format("{} changed: version {} is in force\n", answer->changes.size(),
                          answer->version);
  }
  return kDone;
}

int ctl_diff(const ControlOptions& options, const Target& target, Io io) {
  auto asked = ask(options, target);
  if (!asked) return could_not(asked.error(), io);
  const auto answer = asked->client.control_diff(asked->file, asked->text, options.prune);
  if (!answer) return refused(answer.error(), io);
  const int status = answer->changes.empty() ? kDone : kAnswerIsNo;
  if (options.json) {
    std::ignore = say(json_of(*answer), io);
    return status;
  }
  print(*answer, io);
  if (answer->changes.empty()) io.out << "nothing to change\n";
  return status;
}

int ctl_get(const CtlOptions& options, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto file = client->control_get();
  if (!file) return could_not(file.error(), io);
  if (options.json) {
    return say({{"version", file->version}, {"writable", file->writable}, {"yaml", file->yaml}},
               io);
  }
  io.out << fmt::format("# control data, version {}{}\n", file->version,
                        file->writable ? "" : "; a file is the truth: it is changed there")
         << file->yaml;
  return kDone;
}

}  // namespace godwit::cli::admin
