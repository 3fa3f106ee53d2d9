// The one executable. Each subcommand registers itself; here is only what they share: help, version, exit status.
//
// Exit status  0 done; 1 the answer is no; 2 usage; 3 could not run

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "cli/admin/commands.h"
#include "cli/run/commands.h"
#include "cli/version.h"

int main(int argc, char** argv) {
  constexpr int kUsage = 2;
  constexpr int kCouldNotRun = 3;
  int status = 0;
  CLI::App app("Godwit: a distributed SMTP relay and delivery cluster", "godwit");
  app.set_version_flag("--version", fmt::format("godwit {}", godwit::cli::kVersion));
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  godwit::cli::run::add_commands(app, status);
  godwit::cli::admin::add_commands(app, status);
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
