#pragma once

#include <memory>
#include <vector>

namespace grpc {
class Service;
}

namespace godwit::admin {

class Gate;

// Server reflection (grpc.reflection.v1 and v1alpha), so that grpcurl and its like need no .proto file: which services
// there are, and the files that describe them.
//
// Access   the role viewer; a stream counts as one of Gate's
// Borrows  `gate`
// Threads  any; a stream has a thread until its client ends it or the server stops
[[nodiscard]] std::vector<std::unique_ptr<grpc::Service>> make_reflection(Gate& gate);

}  // namespace godwit::admin
