#include "cli/run/commands.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/config.h"
#include "cli/run/log_options.h"
#include "cli/run/process.h"
#include "common/admin/server.h"
#include "common/control/file_control.h"
#include "common/observe/log.h"
#include "common/role/end_limit.h"
#include "common/role/signals.h"

namespace godwit::cli::run {
namespace {

constexpr observe::Logger kLog{"process"};
constexpr int kDone = 0;
constexpr int kAnswerIsNo = 1;
constexpr int kCouldNotRun = 3;

// Nobody waits for what hangs, destructors included.
void give_up_ending() {
  kLog.error("the end took too long: it is given up", {{"status", kCouldNotRun}});
  observe::flush_logs();
  _exit(kCouldNotRun);
}

// Each connection is a descriptor, and the default soft limit is 1,024 on many systems.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

void say(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

int run(const RunOptions& options) {
  role::Signals signals;  // before any other thread exists
  raise_descriptor_limit();
  Config config;
  const config::Outcome outcome = read_config(options.config_file, config);
  if (!outcome.ok()) {
    fmt::print(stderr, "{}", outcome.to_string());
    return kCouldNotRun;
  }
  observe::set_level(
      *observe::level_from_name(config::Scalar<LogLevel>::render(config.observe.log_level)));
  for (const config::Problem& notice : outcome.notices)
    kLog.warning("not in effect", {{"at", notice.to_string()}});

  int status = kDone;
  std::optional<role::EndLimit> limit;  // the destructors' time is counted, too
  {
    Process process(options, std::move(config), signals);
    if (const Result<void> started = process.start(); !started) {
      if (started.error().code == std::errc::operation_canceled) return kDone;  // by SIGTERM
      kLog.error("could not start", {{"problem", started.error()}});
      status = kCouldNotRun;
    } else if (process.wait_ready()) {
      say(process.ready_line());
      process.serve();
    }
    limit.emplace(process.end_bound(), give_up_ending);
    process.end();
    if (process.failed()) status = kCouldNotRun;
  }
  limit.reset();
  kLog.info("ended", {{"status", status}});
  observe::flush_logs();
  return status;
}

// Everything that a start would stumble over and that can be seen without starting.
int check(const std::filesystem::path& file) {
  Config config;
  config::Outcome outcome = read_config(file, config);
  std::string problems = outcome.to_string();
  std::string notices;
  for (const config::Problem& notice : outcome.notices) notices += notice.to_string() + "\n";
  if (outcome.ok()) {
    if (!config.control.file.empty()) {
      const auto control = control::FileControl::load(config.control.file);
      if (!control) {
        problems += control.error().context + "\n";
      } else {
        for (const config::Problem& notice : (*control)->notices())
          notices += notice.to_string() + "\n";
      }
    }
    if (const Result<void> fits = check_made_segments(config); !fits)
      problems += fits.error().to_string() + "\n";
    if (!config.ingress.tls.certificate.empty()) {
      if (const auto context = config.ingress.tls.load(); !context)
        problems += file.string() + ": ingress.tls: " + context.error().to_string() + "\n";
    }
    if (const auto served = godwit::admin::Server::check(config.admin.server()); !served)
      problems += file.string() + ": admin: " + served.error().to_string() + "\n";
    if (const auto asked = check_files(config.admin.client_tls()); !asked)
      problems += file.string() + ": admin.ctl: " + asked.error().to_string() + "\n";
  }
  fmt::print(stderr, "{}{}", notices, problems);
  if (!problems.empty()) return kAnswerIsNo;
  fmt::print("{}: fine\n", file.string());
  return kDone;
}

std::string check_roles(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name != "all" && std::ranges::find(role_names(), name) == role_names().end()) {
      return fmt::format("there is no role {}; roles are {}", name, fmt::join(role_names(), ", "));
    }
  }
  return {};
}

}  // namespace

void add_commands(CLI::App& app, int& status) {
  auto file = std::make_shared<std::string>();
  auto roles = std::make_shared<std::vector<std::string>>(std::vector<std::string>{"all"});
  auto node = std::make_shared<std::string>();

  CLI::App* const run_app =
      app.add_subcommand("run", "Run a cluster, or some of its roles, in this process");
  run_app->add_option("-c,--config", *file, "Configuration file")->required()->type_name("FILE");
  run_app
      ->add_option("--roles", *roles, "Comma-separated: bouncer, ingress, router, sender, or all")
      ->delimiter(',')
      ->type_name("ROLE,...");
  run_app->add_option("--node", *node, "Instead of `node` in the file: its name in the cluster")
      ->type_name("NAME");
  run_app->callback([file, roles, node, &status] {
    if (std::string wrong = check_roles(*roles); !wrong.empty())
      throw CLI::ValidationError("--roles", wrong);
    std::set<std::string> chosen(roles->begin(), roles->end());
    if (chosen.contains("all")) chosen = {role_names().begin(), role_names().end()};
    status = run({*file, std::move(chosen), *node});
  });

  CLI::App* const check_app =
      app.add_subcommand("check", "Check a configuration and the files it names");
  check_app->add_option("-c,--config", *file, "Configuration file")->required()->type_name("FILE");
  check_app->callback([file, &status] { status = check(*file); });

  CLI::App* const defaults_app =
      app.add_subcommand("defaults", "Print every key with its default and meaning");
  auto markdown = std::make_shared<bool>(false);
  defaults_app->add_flag("--markdown", *markdown, "As the table of docs/configuration.md");
  defaults_app->callback([markdown, &status] {
    fmt::print("{}", *markdown ? print_configuration_reference() : print_defaults());
    status = kDone;
  });
}

}  // namespace godwit::cli::run
