#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/resolver.h"

namespace godwit::net {

struct UnboundOptions {
  // Forwarders, "192.0.2.53" or "192.0.2.53@5353"; empty: those of /etc/resolv.conf.
  std::vector<std::string> servers;
  // A file with DNSKEY or DS records, as unbound's auto-trust-anchor-file; empty: the one Debian's
  // dns-root-data installs, when it is there. Without any nothing is secure and nothing bogus.
  std::string trust_anchor_file;
  bool validate = true;  // false: no trust anchor at all, not even the installed one
  // Questions under way at once; above it kServFail.
  std::size_t questions_max = 4096;
  std::chrono::milliseconds timeout{20'000};
};

// The DNS by libunbound: caching and validating, in this process. One thread of libunbound's own
// does the work, one of ours hands the answers out.
//
// Lifecycle  no task may wait any more when it is destroyed.
class UnboundResolver final : public Resolver {
 public:
  // Errors: kInvalid with the server or file that is wrong.
  [[nodiscard]] static Result<std::unique_ptr<UnboundResolver>> create(UnboundOptions options);
  ~UnboundResolver() override;

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
  struct Impl;
  explicit UnboundResolver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::net
