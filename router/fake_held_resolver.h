#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/event.h"
#include "common/net/fake_resolver.h"

namespace godwit::router {

// A FakeResolver whose MX answers about some names come when the test says so, or kStopped when the
// asker's signal does first. Belongs to one shard.
class HeldResolver final : public net::Resolver {
 public:
  net::FakeResolver answers;

  // Questions about the name wait until answer().
  void hold(const std::string& domain) { held_.emplace(domain, Question{}); }
  void answer(const std::string& domain);
  // Domains that were asked for, in order.
  [[nodiscard]] const std::vector<std::string>& asked() const { return asked_; }

  [[nodiscard]] async::Task<net::DnsAnswer<net::MxRecord>> mx(std::string domain) override {
    return ask(std::move(domain), nullptr);
  }
  [[nodiscard]] async::Task<net::DnsAnswer<net::MxRecord>> mx_until(
      std::string domain, async::StopSignal& stop) override {
    return ask(std::move(domain), &stop);
  }
  [[nodiscard]] async::Task<net::DnsAnswer<net::IpAddress>> addresses(std::string host,
                                                                      net::Family family) override {
    return answers.addresses(std::move(host), family);
  }
  [[nodiscard]] async::Task<net::DnsAnswer<std::string>> txt(std::string name) override {
    return answers.txt(std::move(name));
  }
  [[nodiscard]] async::Task<net::DnsAnswer<net::TlsaRecord>> tlsa(std::string name) override {
    return answers.tlsa(std::move(name));
  }

 private:
  async::Task<net::DnsAnswer<net::MxRecord>> ask(std::string domain, async::StopSignal* stop);
  struct Question {
    std::vector<std::shared_ptr<async::Event>> waiting{};
  };
  std::map<std::string, Question> held_;
  std::vector<std::string> asked_;
};

}  // namespace godwit::router
