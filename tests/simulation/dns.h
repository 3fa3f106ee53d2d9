#pragma once

#include "common/net/resolver.h"
#include "tests/simulation/world.h"

namespace godwit::simulation {

// The DNS of the simulated mail hosts: slow now and then, without an answer, or with a wrong one.
class Dns final : public net::Resolver {
 public:
  explicit Dns(World& world) : world_(world) {}

  [[nodiscard]] async::Task<net::DnsAnswer<net::MxRecord>> mx(std::string domain) override;
  [[nodiscard]] async::Task<net::DnsAnswer<net::IpAddress>> addresses(std::string host,
                                                                      net::Family family) override;
  [[nodiscard]] async::Task<net::DnsAnswer<std::string>> txt(std::string name) override;
  [[nodiscard]] async::Task<net::DnsAnswer<net::TlsaRecord>> tlsa(std::string name) override;

  // How many questions of a hundred go wrong; of these, some slowly.
  void fail(unsigned percent) { fails_ = percent; }

 private:
  [[nodiscard]] async::Task<net::DnsOutcome> outcome();

  World& world_;
  unsigned fails_ = 0;
};

}  // namespace godwit::simulation
