#include "cli/kubernetes/commands.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "cli/config.h"
#include "cli/kubernetes/prestop.h"

namespace godwit::cli::kubernetes {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

void add_commands(CLI::App& app, int& status) {
  struct Kept {
    std::string file;
    std::string service_account = "/var/run/secrets/kubernetes.io/serviceaccount";
    PrestopOptions options;
  };
  auto kept = std::make_shared<Kept>();
  CLI::App* const command = app.add_subcommand(
      "prestop", "Before a pod of a StatefulSet ends: leaves for good when it is scaled in");
  command->add_option("-c,--config", kept->file, "Configuration file")
      ->required()
      ->type_name("FILE");
  command->add_option("--pod", kept->options.pod, "Its name; else from POD_NAME")
      ->envname("POD_NAME")
      ->required()
      ->type_name("NAME");
  command->add_option("--namespace", kept->options.name_space, "Where it is; else as mounted")
      ->type_name("NAME");
  command->add_option("--service-account", kept->service_account, "Its token and ca.crt")
      ->capture_default_str()
      ->type_name("DIRECTORY");
  command->callback([kept, &status] {
    Config config;
    if (const auto outcome = read_config(kept->file, config); !outcome.ok()) {
      std::cerr << outcome.to_string();
      status = admin::kCouldNotRun;
      return;
    }
    kept->options.api = {.host = variable("KUBERNETES_SERVICE_HOST"),
                         .port = variable("KUBERNETES_SERVICE_PORT"),
                         .service_account = kept->service_account};
    status = prestop(kept->options, admin::target_of(config), {std::cout, std::cerr});
  });
}

}  // namespace godwit::cli::kubernetes
