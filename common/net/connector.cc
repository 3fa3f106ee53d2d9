#include "common/net/connector.h"

namespace godwit::net {
namespace {

class TcpConnector final : public Connector {
 public:
  [[nodiscard]] async::Task<Result<Stream>> connect(async::Shard& shard, Address remote,
                                                    std::optional<Address> local,
                                                    Instant deadline) override {
    return net::connect(shard, remote, local, deadline);
  }
  [[nodiscard]] async::Task<Result<Stream>> connect_until(async::Shard& shard, Address remote,
                                                          std::optional<Address> local,
                                                          Instant deadline,
                                                          async::StopSignal& stop) override {
    return net::connect(shard, remote, local, deadline, &stop);
  }
};

}  // namespace

Connector& tcp_connector() {
  static TcpConnector connector;
  return connector;
}

}  // namespace godwit::net
