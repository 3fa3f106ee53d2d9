#include "tests/simulation/dns.h"

#include <array>

#include "common/async/sleep.h"
#include "tests/simulation/mail_hosts.h"

namespace godwit::simulation {

using namespace std::chrono_literals;
using net::DnsOutcome;

async::Task<DnsOutcome> Dns::outcome() {
  const bool fails = world_.chance(fails_);
  Duration delay = world_.between(0ms, 40ms);
  if (fails && world_.chance(50)) delay = world_.between(1s, 20s);
  co_await async::sleep_for(delay);
  if (!fails) co_return DnsOutcome::kFound;
  constexpr std::array kFailures{DnsOutcome::kServFail, DnsOutcome::kTimeout, DnsOutcome::kBogus,
                                 DnsOutcome::kFound};
  co_return kFailures[world_.random().below(kFailures.size())];
}

async::Task<net::DnsAnswer<net::MxRecord>> Dns::mx(std::string domain) {
  net::DnsAnswer<net::MxRecord> answer{.outcome = co_await outcome()};
  if (!answer.found()) co_return answer;
  if (!domain.starts_with('d')) {
    answer.outcome = DnsOutcome::kNxDomain;
    co_return answer;
  }
  answer.ttl = std::chrono::seconds(60);
  // A lie: another domain's host, beside the right one.
  if (world_.chance(fails_)) {
    const std::size_t other = world_.random().below(MailHosts::kDomains);
    answer.records.push_back({5, "mx." + MailHosts::domain(other)});
  }
  answer.records.push_back({10, "mx." + domain});
  co_return answer;
}

async::Task<net::DnsAnswer<net::IpAddress>> Dns::addresses(std::string host, net::Family family) {
  net::DnsAnswer<net::IpAddress> answer{.outcome = co_await outcome()};
  if (!answer.found()) co_return answer;
  answer.outcome = DnsOutcome::kNoData;
  for (std::size_t index = 0; index < MailHosts::kDomains; ++index) {
    if (family != net::Family::kIpv4 || host != "mx." + MailHosts::domain(index)) continue;
    answer.outcome = DnsOutcome::kFound;
    answer.records.push_back(MailHosts::address(index));
  }
  co_return answer;
}

async::Task<net::DnsAnswer<std::string>> Dns::txt(std::string) {
  co_return net::DnsAnswer<std::string>{.outcome = DnsOutcome::kNoData};
}
async::Task<net::DnsAnswer<net::TlsaRecord>> Dns::tlsa(std::string) {
  co_return net::DnsAnswer<net::TlsaRecord>{.outcome = DnsOutcome::kNoData};
}

}  // namespace godwit::simulation
