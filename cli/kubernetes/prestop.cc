#include "cli/kubernetes/prestop.h"

#include <fmt/format.h>

#include <fstream>
#include <ostream>

#include "cli/admin/ctl.h"
#include "cli/kubernetes/stateful_set.h"

namespace godwit::cli::kubernetes {
namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr int kOk = 200;
constexpr int kNotFound = 404;

std::string namespace_of(const PrestopOptions& options) {
  if (!options.name_space.empty()) return options.name_space;
  std::ifstream file(options.api.service_account / "namespace");
  std::string name;
  std::getline(file, name);
  return name;
}

}  // namespace

int prestop(const PrestopOptions& options, const admin::Target& target, admin::Io io) {
  const auto could_not = [&io](const auto& why) {
    io.err << fmt::format("godwit prestop: {}; the end that follows is a restart\n", why);
    return admin::kCouldNotRun;
  };
  const auto member = member_of(options.pod);
  if (!member) {
    io.err << fmt::format("godwit prestop: {:?} is no name of a StatefulSet's pod\n", options.pod);
    return admin::kUsage;
  }
  const std::string name_space = namespace_of(options);
  if (options.api.host.empty() || name_space.empty())
    return could_not("this is no pod: no KUBERNETES_SERVICE_HOST, or no namespace");
  const auto answer =
      get(options.api,
          fmt::format("/apis/apps/v1/namespaces/{}/statefulsets/{}", name_space, member->set),
          kPatience);
  if (!answer) return could_not(answer.error().to_string());
  if (answer->status == kNotFound) {
    io.out << fmt::format("{} is gone: restart\n", member->set);
    return admin::kDone;
  }
  if (answer->status != kOk)
    return could_not(fmt::format("the API server answers {} to who asks for StatefulSet {}",
                                 answer->status, member->set));
  const auto ordinals = ordinals_of(answer->body);
  if (!ordinals) return could_not(ordinals.error().to_string());
  if (ordinals->contain(member->ordinal)) {
    io.out << fmt::format("{} is one of {}: restart\n", options.pod, ordinals->replicas);
    return admin::kDone;
  }
  io.out << fmt::format("{} is beyond {}: leave\n", options.pod, ordinals->replicas);
  return admin::ctl_drain({.reason = "prestop: the StatefulSet is scaled in"}, /*leave=*/true,
                          target, io);
}

}  // namespace godwit::cli::kubernetes
