#include "cli/classify/commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/report/report.h"
#include "common/report/report_view.h"

namespace godwit::cli::classify {
namespace {

constexpr int kCouldNotRun = 3;
// What stands in front of a message in files and is no part of it, and ends of lines that grow.
constexpr std::size_t kReadBytesMax = 2 * report::kReportBytesMax;

// Up to kReadBytesMax octets; nothing on an error (errno says which).
std::optional<std::string> read(std::FILE* file) {
  std::string octets(kReadBytesMax, '\0');
  octets.resize(std::fread(octets.data(), 1, octets.size(), file));
  if (std::ferror(file) != 0) return std::nullopt;
  return octets;
}

std::optional<std::string> read(const std::string& path) {
  if (path == "-") return read(stdin);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  return file ? read(file.get()) : std::nullopt;
}

// As mail comes over the wire: lines end with CRLF, and a mailbox's "From " line is not there.
std::string as_on_the_wire(std::string_view octets) {
  if (octets.starts_with("From ")) {
    const std::size_t end = octets.find('\n');
    octets.remove_prefix(end == std::string_view::npos ? octets.size() : end + 1);
  }
  std::string out;
  out.reserve(octets.size() + octets.size() / 32);
  char before = '\0';
  for (const char c : octets) {
    if (c == '\n' && before != '\r') out += '\r';
    out += c;
    before = c;
  }
  return out;
}

void print_for_people(const report::Report& found, const std::string& path) {
  fmt::print("{}: {}\n", path, report::kind_name(found.kind));
  for (const report::RecipientReport& one : found.recipients) {
    fmt::print("  {} {} {} {}{}\n", one.recipient, report::action_name(one.action),
               one.status ? one.status->to_text() : "-", one.category,
               one.meaning.suppress ? " suppress" : "");
    if (!one.diagnostic.empty()) fmt::print("    {}\n", one.diagnostic);
  }
}

int classify(const std::vector<std::string>& files, bool json) {
  int status = 0;
  for (const std::string& path : files) {
    const auto octets = read(path);
    if (!octets) {
      fmt::print(stderr, "{}: {}\n", path, std::strerror(errno));
      status = kCouldNotRun;
      continue;
    }
    const report::Report found = report::parse_report(as_on_the_wire(*octets));
    if (json) {
      fmt::print("{}\n", report::report_json(found, path));
    } else {
      print_for_people(found, path);
    }
  }
  return status;
}

struct Options {
  std::vector<std::string> files;
  bool json = false;
};

}  // namespace

void add_commands(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "classify", "Say what bounces, complaints and automatic replies mean (docs/bounces.md)");
  command->add_option("FILE", options->files, "Messages; none or -: standard input");
  command->add_flag("--json", options->json, "One JSON object a line for each message");
  command->callback([options, &status] {
    if (options->files.empty()) options->files.emplace_back("-");
    status = classify(options->files, options->json);
  });
}

}  // namespace godwit::cli::classify
