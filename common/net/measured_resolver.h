#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "common/base/clock.h"
#include "common/net/resolver.h"
#include "common/observe/metrics.h"

namespace godwit::net {

// Another resolver, with its questions counted by type and outcome, and its answers timed; those from its cache too.
// Borrows everything. Threads: as the other one.
class MeasuredResolver final : public Resolver {
 public:
  MeasuredResolver(Resolver& other, const Clock& clock, observe::Metrics& metrics);

  [[nodiscard]] async::Task<DnsAnswer<MxRecord>> mx(std::string domain) override;
  [[nodiscard]] async::Task<DnsAnswer<IpAddress>> addresses(std::string host,
                                                            Family family) override;
  [[nodiscard]] async::Task<DnsAnswer<std::string>> txt(std::string name) override;
  [[nodiscard]] async::Task<DnsAnswer<TlsaRecord>> tlsa(std::string name) override;
  [[nodiscard]] async::Task<DnsAnswer<MxRecord>> mx_until(std::string domain,
                                                          async::StopSignal& stop) override;
  [[nodiscard]] async::Task<DnsAnswer<IpAddress>> addresses_until(std::string host, Family family,
                                                                  async::StopSignal& stop) override;
  [[nodiscard]] async::Task<DnsAnswer<std::string>> txt_until(std::string name,
                                                              async::StopSignal& stop) override;
  [[nodiscard]] async::Task<DnsAnswer<TlsaRecord>> tlsa_until(std::string name,
                                                              async::StopSignal& stop) override;

 private:
  enum Type : std::size_t { kMx, kA, kAaaa, kTxt, kTlsa, kTypes };
  static constexpr std::size_t kOutcomes = static_cast<std::size_t>(DnsOutcome::kStopped) + 1;
  [[nodiscard]] static Type type_of(Family family) { return family == Family::kIpv4 ? kA : kAaaa; }

  template <class Record>
  async::Task<DnsAnswer<Record>> measure(Type type, async::Task<DnsAnswer<Record>> question);

  Resolver& other_;
  const Clock& clock_;
  std::array<std::array<observe::Counter*, kOutcomes>, kTypes> questions_{};
  std::array<observe::Histogram*, kTypes> seconds_{};
  observe::Gauge& under_way_;
};

}  // namespace godwit::net
