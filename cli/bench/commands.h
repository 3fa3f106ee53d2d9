#pragma once

namespace CLI {
class App;
}

namespace godwit::cli::bench {

// `godwit bench source` and `godwit bench sink`. `status` is the exit status of the command that ran: 0 done,
// 2 an argument is wrong, 3 could not run.
void add_commands(CLI::App& app, int& status);

}  // namespace godwit::cli::bench
