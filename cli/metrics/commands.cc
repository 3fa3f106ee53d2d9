#include "cli/metrics/commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/metrics/catalogue.h"

namespace godwit::cli::metrics {

void add_commands(CLI::App& app) {
  auto* const command =
      app.add_subcommand("metrics", "List what /metrics can have, as docs/metrics.md does");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "For programs: one array of objects");
  command->callback([json] {
    const auto all = observe::Definition::all();
    fmt::print("{}", *json ? as_json(all) : as_markdown(all));
  });
}

}  // namespace godwit::cli::metrics
