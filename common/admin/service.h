#pragma once

#include <memory>

namespace grpc {
class Service;
}

namespace godwit::admin {

class Gate;
struct Services;

// The calls of godwit.admin.v1.Admin (proto/godwit/admin/v1/admin.proto), each behind `gate`. What changes something
// is written to the audit trail with the caller and the reason.
//
// Borrows  `gate`, and what `services` names
// Threads  any; calls block
[[nodiscard]] std::unique_ptr<grpc::Service> make_service(Gate& gate, const Services& services);

}  // namespace godwit::admin
