#include "common/net/connector.h"

#include <utility>

namespace godwit::net {
namespace {

class TcpConnector final : public Connector {
 public:
  [[nodiscard]] async::Task<Result<Stream>> connect(async::Shard& shard, Address remote,
                                                    std::optional<Address> local,
                                                    Instant deadline) override {
    return net::connect(shard, std::move(remote), std::move(local), deadline);
  }
  [[nodiscard]] async::Task<Result<Stream>> connect_until(async::Shard& shard, Address remote,
                                                          std::optional<Address> local,
                                                          Instant deadline,
                                                          async::StopSignal& stop) override {
    return net::connect(shard, std::move(remote), std::move(local), deadline, &stop);
  }
};

}  // namespace

Connector& tcp_connector() {
  static TcpConnector connector;
  return connector;
}

}  // namespace godwit::net
