#pragma once

#include <filesystem>
#include <string>

#include "cli/admin/io.h"
#include "cli/admin/target.h"
#include "cli/kubernetes/api_server.h"

namespace godwit::cli::kubernetes {

struct PrestopOptions {
  std::string pod;         // POD_NAME
  std::string name_space;  // empty: the file `namespace` of the service account
  ApiServer api;
};

// What a pod of a StatefulSet runs before it ends: when the set is to have fewer pods than its
// ordinal needs, the process leaves (its partitions go to others at once); else nothing happens,
// and SIGTERM, which follows, is a restart. A set that is gone has nobody to leave anything to.
//
// Output     the exit status: 0 done; 2 the name is none of a StatefulSet's pod; 3 the API server
//            or the process could not be asked: the end that follows is a restart, and no mail is
//            lost by that
// Limits     5 s for the API server, and ctl's for the process
[[nodiscard]] int prestop(const PrestopOptions& options, const admin::Target& target, admin::Io io);

}  // namespace godwit::cli::kubernetes
