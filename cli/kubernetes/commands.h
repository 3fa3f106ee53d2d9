#pragma once

namespace CLI {
class App;
}

namespace godwit::cli::kubernetes {

// `godwit prestop`: what a pod runs before it ends. `status` becomes the exit status.
void add_commands(CLI::App& app, int& status);

}  // namespace godwit::cli::kubernetes
