#include "cli/completion/commands.h"

#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/completion/script.h"

namespace godwit::cli::completion {

void add_commands(CLI::App& app, int& status) {
  CLI::App* const command = app.add_subcommand(
      "completion", "Prints what completes godwit's commands and options in a shell");
  command->require_subcommand(1);
  const auto add = [&](const char* shell, const char* what, auto script) {
    command->add_subcommand(shell, what)->callback([&app, &status, script] {
      std::cout << script(app);
      status = 0;
    });
  };
  add("bash", "For `source <(godwit completion bash)`", bash_script);
  add("zsh", "For a file _godwit in $fpath, or `source <(godwit completion zsh)`", zsh_script);
}

}  // namespace godwit::cli::completion
