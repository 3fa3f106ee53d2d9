#include "common/net/fake_resolver.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "common/async/shard.h"
#include "common/async/sleep.h"
#include "common/base/check.h"

namespace godwit::net {
namespace {

std::string key_of(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string key(name);
  std::ranges::transform(key, key.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return key;
}

constexpr std::chrono::seconds kTtl{300};

}  // namespace

FakeResolver& FakeResolver::set_mx(std::string_view domain, std::vector<MxRecord> records,
                                   bool secure) {
  std::ranges::sort(records);
  const std::lock_guard lock(mutex_);
  mx_[key_of(domain)] = {std::move(records), secure};
  return *this;
}

FakeResolver& FakeResolver::add_address(std::string_view host, std::string_view address,
                                        bool secure) {
  const std::optional<IpAddress> ip = IpAddress::from_text(address);
  CHECK(ip.has_value(), "{} is no address", address);
  const std::lock_guard lock(mutex_);
  Entry<IpAddress>& entry = (ip->is_v4() ? a_ : aaaa_)[key_of(host)];
  entry.records.push_back(*ip);
  entry.secure = secure;
  return *this;
}

FakeResolver& FakeResolver::add_txt(std::string_view name, std::string text) {
  const std::lock_guard lock(mutex_);
  txt_[key_of(name)].records.push_back(std::move(text));
  return *this;
}

FakeResolver& FakeResolver::set_tlsa(std::string_view name, std::vector<TlsaRecord> records,
                                     bool secure) {
  const std::lock_guard lock(mutex_);
  tlsa_[key_of(name)] = {std::move(records), secure};
  return *this;
}

FakeResolver& FakeResolver::fail_mx(std::string_view domain, DnsOutcome outcome) {
  const std::lock_guard lock(mutex_);
  mx_[key_of(domain)].failure = outcome;
  return *this;
}

FakeResolver& FakeResolver::fail_addresses(std::string_view host, DnsOutcome outcome) {
  const std::lock_guard lock(mutex_);
  a_[key_of(host)].failure = outcome;
  aaaa_[key_of(host)].failure = outcome;
  return *this;
}

FakeResolver& FakeResolver::fail_txt(std::string_view name, DnsOutcome outcome) {
  const std::lock_guard lock(mutex_);
  txt_[key_of(name)].failure = outcome;
  return *this;
}

FakeResolver& FakeResolver::fail_tlsa(std::string_view name, DnsOutcome outcome) {
  const std::lock_guard lock(mutex_);
  tlsa_[key_of(name)].failure = outcome;
  return *this;
}

FakeResolver& FakeResolver::delay(std::string_view name, Duration time) {
  const std::lock_guard lock(mutex_);
  delays_[key_of(name)] = time;
  return *this;
}

Duration FakeResolver::ask(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  ++asked_;
  const auto found = delays_.find(key_of(name));
  return found != delays_.end() ? found->second : Duration::zero();
}

void FakeResolver::clear() {
  const std::lock_guard lock(mutex_);
  delays_.clear();
  mx_.clear();
  a_.clear();
  aaaa_.clear();
  txt_.clear();
  tlsa_.clear();
}

std::size_t FakeResolver::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

bool FakeResolver::exists(const std::string& name) const {
  return mx_.contains(name) || a_.contains(name) || aaaa_.contains(name) || txt_.contains(name) ||
         tlsa_.contains(name);
}

template <class Record>
DnsAnswer<Record> FakeResolver::look_up(const Zone<Record>& zone, std::string name) const {
  const std::lock_guard lock(mutex_);
  DnsAnswer<Record> answer;
  answer.canonical = key_of(name);
  answer.ttl = kTtl;
  const auto found = zone.find(answer.canonical);
  if (found == zone.end()) {
    answer.outcome = exists(answer.canonical) ? DnsOutcome::kNoData : DnsOutcome::kNxDomain;
    return answer;
  }
  const Entry<Record>& entry = found->second;
  answer.secure = entry.secure;
  if (entry.failure != DnsOutcome::kFound) {
    answer.outcome = entry.failure;
    answer.why = "the test said so";
  } else {
    answer.outcome = entry.records.empty() ? DnsOutcome::kNoData : DnsOutcome::kFound;
    answer.records = entry.records;
  }
  return answer;
}

// Suspends only for a delay: else a question has its answer when it is asked.
template <class Record>
async::Task<DnsAnswer<Record>> FakeResolver::answer(const Zone<Record>& zone, std::string name,
                                                    async::StopSignal* stop) const {
  bool in_time = stop == nullptr || !stop->requested();
  if (const Duration time = ask(name); in_time && time > Duration::zero()) {
    async::Sleeper sleeper;
    std::optional<async::StopSignal::Callback> on_stop;
    if (stop != nullptr) on_stop.emplace(*stop, [&sleeper] { sleeper.wake(); });
    in_time = co_await sleeper.sleep_until(async::Shard::current().now() + time);
  }
  DnsAnswer<Record> answer = look_up(zone, std::move(name));
  if (in_time) co_return answer;
  co_return DnsAnswer<Record>{.outcome = DnsOutcome::kStopped, .why = "told to stop"};
}

async::Task<DnsAnswer<MxRecord>> FakeResolver::mx(std::string domain) {
  return answer(mx_, std::move(domain), nullptr);
}

async::Task<DnsAnswer<MxRecord>> FakeResolver::mx_until(std::string domain,
                                                        async::StopSignal& stop) {
  return answer(mx_, std::move(domain), &stop);
}

async::Task<DnsAnswer<IpAddress>> FakeResolver::addresses(std::string host, Family family) {
  return answer(family == Family::kIpv4 ? a_ : aaaa_, std::move(host), nullptr);
}

async::Task<DnsAnswer<IpAddress>> FakeResolver::addresses_until(std::string host, Family family,
                                                                async::StopSignal& stop) {
  return answer(family == Family::kIpv4 ? a_ : aaaa_, std::move(host), &stop);
}

async::Task<DnsAnswer<std::string>> FakeResolver::txt(std::string name) {
  return answer(txt_, std::move(name), nullptr);
}

async::Task<DnsAnswer<std::string>> FakeResolver::txt_until(std::string name,
                                                            async::StopSignal& stop) {
  return answer(txt_, std::move(name), &stop);
}

async::Task<DnsAnswer<TlsaRecord>> FakeResolver::tlsa(std::string name) {
  return answer(tlsa_, std::move(name), nullptr);
}

async::Task<DnsAnswer<TlsaRecord>> FakeResolver::tlsa_until(std::string name,
                                                            async::StopSignal& stop) {
  return answer(tlsa_, std::move(name), &stop);
}

}  // namespace godwit::net
