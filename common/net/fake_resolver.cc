#include "common/net/fake_resolver.h"

#include <algorithm>
#include <cctype>

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

void FakeResolver::clear() {
  const std::lock_guard lock(mutex_);
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
  ++asked_;
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

async::Task<DnsAnswer<MxRecord>> FakeResolver::mx(std::string domain) {
  co_return look_up(mx_, std::move(domain));
}

async::Task<DnsAnswer<IpAddress>> FakeResolver::addresses(std::string host, Family family) {
  co_return look_up(family == Family::kIpv4 ? a_ : aaaa_, std::move(host));
}

async::Task<DnsAnswer<std::string>> FakeResolver::txt(std::string name) {
  co_return look_up(txt_, std::move(name));
}

async::Task<DnsAnswer<TlsaRecord>> FakeResolver::tlsa(std::string name) {
  co_return look_up(tlsa_, std::move(name));
}

}  // namespace godwit::net
