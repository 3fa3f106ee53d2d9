#include "cli/completion/script.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string_view>
#include <vector>

namespace godwit::cli::completion {
namespace {

// One command: the words that may follow it.
struct Known {
  std::string commands;
  std::string flags;
  std::string values;  // options with a value of any kind
  std::string files;   // options whose value is a file or directory
  bool file_operands = false;
};

void add_word(std::string& words, std::string_view word) {
  if (!words.empty()) words += ' ';
  words += word;
}

bool is_file(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return option.get_name() == "FILE" || type.starts_with("FILE") || type.starts_with("DIRECTORY");
}

Known known_of(const CLI::App& command) {
  Known known;
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!below->get_group().empty()) add_word(known.commands, below->get_name());
  }
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) {
      known.file_operands = known.file_operands || is_file(*option);
      if (option->get_lnames().empty() && option->get_snames().empty()) continue;
    }
    std::string& words = option->get_items_expected_max() == 0 ? known.flags
                         : is_file(*option)                    ? known.files
                                                               : known.values;
    for (const std::string& name : option->get_snames()) add_word(words, "-" + name);
    for (const std::string& name : option->get_lnames()) add_word(words, "--" + name);
  }
  return known;
}

void add_cases(const CLI::App& command, const std::string& path, std::string& cases) {
  const Known known = known_of(command);
  cases += fmt::format("    '{}') below='{}' flags='{}' values='{}' files='{}' operands='{}' ;;\n",
                       path, known.commands, known.flags, known.values, known.files,
                       known.file_operands ? "file" : "");
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!below->get_group().empty()) add_cases(*below, path + ' ' + below->get_name(), cases);
  }
}

// Runs in both shells. Prints what may stand in place of the last argument, one a line; status 9: a file.
std::string candidates(const CLI::App& root) {
  std::string cases;
  add_cases(root, root.get_name(), cases);
  return fmt::format(R"(_godwit_known() {{
  case $1 in
{}    *) return 1 ;;
  esac
}}

_godwit_candidates() {{
  [ -n "${{ZSH_VERSION-}}" ] && emulate -L sh
  local at={} want= below flags values files operands word offered
  _godwit_known "$at"
  while [ $# -gt 1 ]; do
    word=$1
    shift
    if [ -n "$want" ]; then
      want=
      continue
    fi
    case " $files " in *" $word "*) want=file ;; esac
    case " $values " in *" $word "*) want=text ;; esac
    case " $below " in *" $word "*) at="$at $word"; _godwit_known "$at" ;; esac
  done
  [ "$want" = text ] && return 0
  [ "$want" = file ] && return 9
  case $1 in
    -*) offered="$flags $values $files" ;;
    *) [ "$operands" = file ] && return 9; offered="$below" ;;
  esac
  [ -z "$1" ] && [ -z "$below" ] && offered="$flags $values $files"
  for word in $offered; do
    case $word in "$1"*) printf '%s\n' "$word" ;; esac
  done
  return 0
}}
)",
                     cases, root.get_name());
}

}  // namespace

std::string bash_script(const CLI::App& root) {
  return "# bash completion of godwit, made by `godwit completion bash`.\n\n" + candidates(root) +
         R"(
_godwit() {
  # `--config=x` comes as three words.
  local given=() word status found
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    [ "$word" = = ] || given+=("$word")
  done
  [ "${COMP_WORDS[COMP_CWORD]}" = = ] && given+=("")
  found=$(_godwit_candidates "${given[@]}")
  status=$?
  COMPREPLY=()
  if [ $status -eq 9 ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "${given[${#given[@]} - 1]}")
  elif [ -n "$found" ]; then
    mapfile -t COMPREPLY <<<"$found"
  fi
}
complete -F _godwit godwit
)";
}

std::string zsh_script(const CLI::App& root) {
  return "#compdef godwit\n# zsh completion of godwit, made by `godwit completion zsh`.\n\n" +
         candidates(root) + R"(
_godwit() {
  local found
  found=$(_godwit_candidates "${(@)words[2,CURRENT]}")
  if [ $? -eq 9 ]; then
    _files
  elif [ -n "$found" ]; then
    compadd -- "${(@f)found}"
  fi
}

if [ "${funcstack[1]-}" = _godwit ]; then
  _godwit "$@"
else
  compdef _godwit godwit
fi
)";
}

}  // namespace godwit::cli::completion
