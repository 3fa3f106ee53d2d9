#pragma once

namespace CLI {
class App;
}

namespace godwit::cli::metrics {

// `godwit metrics`: what /metrics of a process can have, from the definitions that are linked. Asks nobody.
void add_commands(CLI::App& app);

}  // namespace godwit::cli::metrics
