#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "bench/smoke/wire.h"
#include "common/net/connector.h"

namespace godwit::bench {

// All the hosts mail is delivered to: takes every connection and every message at once.
// Threads  one; serve() between the sender's turns
class MailHost final : public net::Connector {
 public:
  [[nodiscard]] async::Task<Result<net::Stream>> connect(async::Shard& shard, net::Address remote,
                                                         std::optional<net::Address> local,
                                                         Instant deadline) override;

  // Answers what has come. False: nothing had.
  bool serve();
  [[nodiscard]] std::size_t taken() const { return taken_; }  // messages

 private:
  struct Session {
    Wire wire;
    std::string input;
    bool in_content = false;
  };
  void answer(Session& session);

  std::deque<Session> sessions_;
  std::size_t taken_ = 0;
};

}  // namespace godwit::bench
