#pragma once

namespace CLI {
class App;
}

namespace godwit::cli::run {

// `godwit run`, `check` and `defaults`. `status` is the exit status of the command that ran.
void add_commands(CLI::App& app, int& status);

}  // namespace godwit::cli::run
