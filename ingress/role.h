#pragma once

#include <memory>
#include <string>

#include "common/control/return_path.h"
#include "common/role/role.h"
#include "ingress/config.h"

namespace godwit::ingress {

// The role `ingress`: SMTP listeners, from the first octet of a client to a durable record
// (README.md).
//
// Lifecycle  as role::Role. start() binds every listener or none, and loads the certificate.
//            drain(): no new sessions, 421 4.3.2 to those that are idle, messages under way are
//            finished until the deadline. stop() closes what is left. reload() reads certificate
//            and key again
// Ready      when the listeners are up and the log takes records
// Addresses  "smtp.relay", "smtp.submission", "smtp.submissions" (implicit TLS), "smtp.inbound", in
//            the order of the configuration
//
// `return_path`: whose return addresses `inbound` takes.
[[nodiscard]] std::unique_ptr<role::Role> make_ingress(const role::RoleContext& context,
                                                       const Config& config,
                                                       control::ReturnPath return_path);

}  // namespace godwit::ingress
