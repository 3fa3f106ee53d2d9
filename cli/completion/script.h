#pragma once

#include <string>

namespace CLI {
class App;
}

// What a shell needs to complete a command line, made from the tree of commands itself: it cannot be older than that.
namespace godwit::cli::completion {

// Both complete subcommands, options, and files where an option or operand is one. Names are letters, digits and
// dashes; commands without a group are hidden and left out.
[[nodiscard]] std::string bash_script(const CLI::App& root);
[[nodiscard]] std::string zsh_script(const CLI::App& root);

}  // namespace godwit::cli::completion
