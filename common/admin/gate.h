#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/admin/access.h"
#include "common/admin/credentials.h"
#include "common/admin/line_limit.h"

namespace grpc {
class ServerContext;
class Status;
}  // namespace grpc

namespace godwit::admin {

// What every call passes before it is looked at, and what ends the long ones when the server stops.
//
// Threads  any
class Gate {
 public:
  Gate(const Grants& grants, std::uint32_t streams_max)
      : credentials_(grants), streams_max_(streams_max) {}

  // Whether the call may be made by whoever makes it; then `caller` says who that is.
  // Input   `reason` of the request; null: its type has none
  // Status  UNAUTHENTICATED (a credential is missing or wrong), PERMISSION_DENIED (names the role that is needed),
  //         INVALID_ARGUMENT (a change without a reason, or with one that is too long)
  [[nodiscard]] grpc::Status enter(const Rule& rule, const grpc::ServerContext& context,
                                   const std::string* reason, Caller& caller) const;

  // One of the streams that may be under way at once; false: there are too many.
  class StreamPass {
   public:
    explicit StreamPass(Gate& gate);
    ~StreamPass() { --gate_.streams_; }
    StreamPass(const StreamPass&) = delete;
    explicit operator bool() const { return entered_; }

   private:
    Gate& gate_;
    bool entered_ = false;
  };

  // Streams look at this between two of their steps.
  [[nodiscard]] bool gone(const grpc::ServerContext& context) const;
  void stop() { stopping_ = true; }

 private:
  void refused(std::string_view rpc, const Caller& caller, std::string_view why) const;

  const Credentials credentials_;
  const std::uint32_t streams_max_;
  mutable LineLimit lines_;
  std::atomic<std::uint32_t> streams_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace godwit::admin
