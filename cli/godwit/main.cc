// The one executable. Each folder of cli/ registers its subcommands; here is only what they share: help, version,
// exit status.
//
// Exit status  0 done; 1 the answer is no; 2 usage; 3 could not run

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "cli/admin/commands.h"
#include "cli/bench/commands.h"
#include "cli/classify/commands.h"
#include "cli/completion/commands.h"
#include "cli/kubernetes/commands.h"
#include "cli/metrics/commands.h"
#include "cli/run/commands.h"
#include "cli/version.h"
#include "common/config/node.h"
#include "common/net/tls_memory.h"

// jemalloc reads it. Pages of what was released go back to the system after a second, also while nothing happens: a
// thread of jemalloc's own does that.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,max_background_threads:1,dirty_decay_ms:1000";

namespace {

constexpr int kUsage = 2;
constexpr int kCouldNotRun = 3;

// CLI11 says of an unknown command only that one is required.
bool names_unknown_command(const CLI::App& app, std::string_view word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  for (const std::string& name : names) {
    if (name == word) return false;
  }
  const auto near = godwit::config::nearest(word, {names.begin(), names.end()});
  fmt::print(stderr, "there is no command {}; {}\n", word,
             near ? fmt::format("did you mean {}?", *near)
                  : fmt::format("commands are {}", fmt::join(names, ", ")));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  (void)godwit::net::install_tls_memory();
  int status = 0;
  CLI::App app("Godwit: a distributed SMTP relay and delivery cluster", "godwit");
  app.set_version_flag("--version", fmt::format("godwit {}", godwit::cli::kVersion));
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  godwit::cli::run::add_commands(app, status);
  godwit::cli::admin::add_commands(app, status);
  godwit::cli::bench::add_commands(app, status);
  godwit::cli::classify::add_commands(app, status);
  godwit::cli::kubernetes::add_commands(app, status);
  godwit::cli::completion::add_commands(app, status);
  godwit::cli::metrics::add_commands(app);
  if (argc > 1 && *argv[1] != '-' && names_unknown_command(app, argv[1])) return kUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return kUsage;
  } catch (const std::exception& error) {
    fmt::print(stderr, "godwit: {}\n", error.what());
    return kCouldNotRun;
  }
  return status;
}
