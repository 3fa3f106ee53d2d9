// That the script does its work in a shell is shown by tests/scenarios/test_completion.py.

#include "cli/completion/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>

#include "cli/completion/commands.h"

namespace godwit::cli::completion {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Completion, EachCommandHasItsWords) {
  CLI::App app("test", "godwit");
  std::string text;
  std::string file;
  bool flag = false;
  auto* ctl = app.add_subcommand("ctl", "what");
  auto* drain = ctl->add_subcommand("drain", "what");
  drain->add_flag("--leave,-l", flag, "what");
  drain->add_option("--reason", text, "what")->type_name("TEXT");
  drain->add_option("-c,--config", file, "what")->type_name("FILE");
  ctl->add_subcommand("hidden", "what")->group("");
  auto* classify = app.add_subcommand("classify", "what");
  classify->add_option("FILE", file, "what");
  for (const std::string& script : {bash_script(app), zsh_script(app)}) {
    EXPECT_THAT(script, HasSubstr("'godwit') below='ctl classify' flags='-h --help' values='' "
                                  "files='' operands='' ;;"));
    EXPECT_THAT(script, HasSubstr("'godwit ctl') below='drain' "));
    EXPECT_THAT(script, HasSubstr("'godwit ctl drain') below='' flags='-h --help -l --leave' "
                                  "values='--reason' files='-c --config' operands='' ;;"));
    EXPECT_THAT(script, HasSubstr("'godwit classify') below='' flags='-h --help' values='' "
                                  "files='' operands='file' ;;"));
    EXPECT_THAT(script, Not(HasSubstr("hidden")));
  }
}

TEST(Completion, IsMadeWhenItIsAskedFor) {
  CLI::App app("test", "godwit");
  int status = 7;
  add_commands(app, status);
  app.add_subcommand("later", "what");  // than the command that prints
  testing::internal::CaptureStdout();
  app.parse("completion bash");
  const std::string printed = testing::internal::GetCapturedStdout();
  EXPECT_EQ(status, 0);
  EXPECT_EQ(printed, bash_script(app));
  EXPECT_THAT(printed, HasSubstr("below='completion later'"));
}

}  // namespace
}  // namespace godwit::cli::completion
