#pragma once

namespace CLI {
class App;
}

namespace godwit::cli::classify {

// `godwit classify`. `status` is the exit status of the command that ran: 0 done, 3 a file could not be read.
void add_commands(CLI::App& app, int& status);

}  // namespace godwit::cli::classify
