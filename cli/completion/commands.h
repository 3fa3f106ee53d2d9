#pragma once

namespace CLI {
class App;
}

namespace godwit::cli::completion {

// `godwit completion bash|zsh`. Added last: it knows the commands that `app` has when it is called.
void add_commands(CLI::App& app, int& status);

}  // namespace godwit::cli::completion
