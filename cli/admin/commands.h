#pragma once

namespace CLI {
class App;
}

namespace godwit::cli::admin {

// `godwit events`, `audit`, `capture` and `ctl`. `status` is the exit status of the command that ran: 0 done, 1 the
// answer is no (an audit found exceptions, a process is not serving), 3 could not run; usage errors are CLI11's.
void add_commands(CLI::App& app, int& status);

}  // namespace godwit::cli::admin
