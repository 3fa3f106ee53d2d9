#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/net/resolver.h"

namespace godwit::net {

// A resolver that knows what a test told it. Everything else is kNxDomain.
//
//     FakeResolver dns;
//     dns.set_mx("example.test", {{10, "mx1.example.test"}});
//     dns.add_address("mx1.example.test", "127.0.0.2");
//     dns.fail_mx("broken.test", DnsOutcome::kServFail);
//
// A name that has records of another type is kNoData, as in the real DNS.
// Threads: any.
class FakeResolver final : public Resolver {
 public:
  FakeResolver& set_mx(std::string_view domain, std::vector<MxRecord> records, bool secure = false);
  FakeResolver& add_address(std::string_view host, std::string_view address, bool secure = false);
  FakeResolver& add_txt(std::string_view name, std::string text);
  FakeResolver& set_tlsa(std::string_view name, std::vector<TlsaRecord> records,
                         bool secure = true);
  // From now on questions of this type about the name have this outcome; kFound takes it back.
  FakeResolver& fail_mx(std::string_view domain, DnsOutcome outcome);
  FakeResolver& fail_addresses(std::string_view host, DnsOutcome outcome);
  FakeResolver& fail_txt(std::string_view name, DnsOutcome outcome);
  FakeResolver& fail_tlsa(std::string_view name, DnsOutcome outcome);
  // From now on questions about the name are answered only after this time of the asking shard's
  // clock, or kStopped when their signal comes first.
  FakeResolver& delay(std::string_view name, Duration time);
  void clear();

  // How many questions were asked, answered or not.
  [[nodiscard]] std::size_t asked() const;

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
  template <class Record>
  struct Entry {
    std::vector<Record> records;
    bool secure = false;
    DnsOutcome failure = DnsOutcome::kFound;
  };
  template <class Record>
  using Zone = std::map<std::string, Entry<Record>, std::less<>>;
  template <class Record>
  [[nodiscard]] DnsAnswer<Record> look_up(const Zone<Record>& zone, std::string name) const;
  template <class Record>
  [[nodiscard]] async::Task<DnsAnswer<Record>> answer(const Zone<Record>& zone, std::string name,
                                                      async::StopSignal* stop) const;
  // A question is asked: how long its answer takes.
  [[nodiscard]] Duration ask(std::string_view name) const;
  [[nodiscard]] bool exists(const std::string& name) const;

  mutable std::mutex mutex_;
  mutable std::size_t asked_ = 0;
  Zone<MxRecord> mx_;
  Zone<IpAddress> a_;
  Zone<IpAddress> aaaa_;
  Zone<std::string> txt_;
  Zone<TlsaRecord> tlsa_;
  std::map<std::string, Duration, std::less<>> delays_;
};

}  // namespace godwit::net
