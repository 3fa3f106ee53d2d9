#include "sender/mx_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace godwit::sender {

namespace {

using net::DnsOutcome;

std::string_view outcome_text(DnsOutcome outcome) {
  switch (outcome) {
    case DnsOutcome::kFound: return "found";
    case DnsOutcome::kNxDomain: return "no such domain";
    case DnsOutcome::kNoData: return "no records";
    case DnsOutcome::kServFail: return "server failure";
    case DnsOutcome::kTimeout: return "timeout";
    case DnsOutcome::kBogus: return "DNSSEC validation failed";
    case DnsOutcome::kStopped: return "told to stop";
  }
  return "";
}

NoWay no_way(bool permanent, smtp::EnhancedCode code, std::string text, std::string_view category) {
  return {permanent, smtp::Reply::of(0, code, std::move(text)), category};
}

template <class T>
void shuffle(std::vector<T>& list, std::size_t first, std::size_t end, Random& random) {
  for (std::size_t i = end; i > first + 1; --i) {
    std::swap(list[i - 1], list[first + random.below(i - first)]);
  }
}

}  // namespace

MxPlan MxPlan::from_mx(std::string_view domain, const net::DnsAnswer<net::MxRecord>& answer,
                       std::uint16_t port, Random& random) {
  MxPlan plan;
  plan.port_ = port;
  if (answer.temporary()) {
    plan.fixed_ = no_way(false, {4, 4, 3},
                         fmt::format("MX look-up of {}: {}", domain, outcome_text(answer.outcome)),
                         "bad-domain");
    return plan;
  }
  if (answer.outcome == DnsOutcome::kNxDomain) {
    plan.fixed_ = no_way(true, {5, 1, 2}, fmt::format("{} does not exist", domain), "bad-domain");
    return plan;
  }
  std::vector<net::MxRecord> records = answer.records;
  // RFC 7505 s3: a single record with the root as its host. Beside others the root is nobody's host.
  if (records.size() == 1 && records.front().host.empty()) {
    plan.fixed_ =
        no_way(true, {5, 1, 10}, fmt::format("{} does not accept mail", domain), "bad-domain");
    return plan;
  }
  std::erase_if(records, [](const net::MxRecord& record) { return record.host.empty(); });
  if (records.empty()) {
    plan.hosts_.emplace_back(domain);  // RFC 5321 s5.1: the implicit MX
    return plan;
  }
  std::ranges::sort(records, {}, &net::MxRecord::preference);
  for (std::size_t first = 0; first < records.size();) {
    std::size_t end = first;
    while (end < records.size() && records[end].preference == records[first].preference) ++end;
    shuffle(records, first, end, random);  // RFC 5321 s5.1: equals in random order
    first = end;
  }
  for (net::MxRecord& record : records) {
    if (plan.hosts_.size() == kHostsMax) break;
    if (!plan.names(record.host)) plan.hosts_.push_back(std::move(record.host));
  }
  return plan;
}

MxPlan MxPlan::from_literal(std::string_view literal, std::uint16_t port) {
  MxPlan plan;
  plan.port_ = port;
  std::string_view text = literal;
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (text.size() > 5 && (text.starts_with("IPv6:") || text.starts_with("ipv6:"))) {
    text.remove_prefix(5);
  }
  if (net::IpAddress::from_text(text)) {
    plan.hosts_.emplace_back(text);
  } else {
    plan.fixed_ =
        no_way(true, {5, 1, 2}, fmt::format("{} is not an address", literal), "bad-domain");
  }
  return plan;
}

MxPlan MxPlan::from_route(std::string_view host, std::uint16_t port) {
  MxPlan plan;
  plan.port_ = port;
  plan.static_ = true;
  plan.hosts_.emplace_back(host);
  return plan;
}

MxPlan::Step MxPlan::next() {
  if (!targets_.empty() && connections_ < kConnectionsMax) {
    ++connections_;
    Step step{Step::Kind::kConnect, {}, std::move(targets_.front())};
    targets_.pop_front();
    return step;
  }
  if (host_next_ < hosts_.size() && connections_ < kConnectionsMax) {
    return {Step::Kind::kResolve, hosts_[host_next_++], {}};
  }
  return {};
}

void MxPlan::add_target(const std::string& host, const net::IpAddress& address,
                        const Families& families, const Refused& refused) {
  if (!static_) {
    // RFC 5321 gives no such rule; without it any domain could point our queue at our own network.
    if (!address.is_global() || refused(address)) {
      ++refused_;
      why_ =
          fmt::format("{} has the address {}, where mail is not sent to", host, address.to_text());
      return;
    }
  }
  if (address.is_v4() ? !families.ipv4 : !families.ipv6) return;
  targets_.push_back({host, {address, port_}});
}

void MxPlan::resolved(const net::DnsAnswer<net::IpAddress>& ipv4,
                      const net::DnsAnswer<net::IpAddress>& ipv6, const Families& families,
                      const Refused& refused, Random& random) {
  CHECK(host_next_ > 0, "resolved() follows a kResolve");
  const std::string& host = hosts_[host_next_ - 1];
  const std::size_t targets_before = targets_.size();
  const std::size_t refused_before = refused_;

  std::vector<net::IpAddress> four = ipv4.records;
  std::vector<net::IpAddress> six = ipv6.records;
  shuffle(four, 0, four.size(), random);
  shuffle(six, 0, six.size(), random);
  for (std::size_t i = 0; i < std::max(four.size(), six.size()); ++i) {
    if (targets_.size() - targets_before >= kAddressesMax) break;
    if (i < six.size()) add_target(host, six[i], families, refused);
    if (i < four.size()) add_target(host, four[i], families, refused);
  }
  if (targets_.size() > targets_before) return;

  if (ipv4.temporary() || ipv6.temporary()) {
    ++temporary_;
    const DnsOutcome outcome = ipv4.temporary() ? ipv4.outcome : ipv6.outcome;
    why_ = fmt::format("address look-up of {}: {}", host, outcome_text(outcome));
  } else if (refused_ > refused_before) {
    // counted, `why_` is set
  } else if (ipv4.outcome == DnsOutcome::kNxDomain || ipv6.outcome == DnsOutcome::kNxDomain) {
    ++nxdomain_;
    why_ = fmt::format("mail host {} does not exist", host);
  } else {
    ++no_address_;
    why_ = fmt::format("{} has no address that can be used", host);
  }
}

void MxPlan::failed(smtp::Reply reply, std::string_view category, std::string_view stage) {
  last_failure_ = NoWay{false, std::move(reply), category, stage};
}

NoWay MxPlan::verdict() const {
  if (fixed_) return *fixed_;
  // A host was reached, or could have been: whatever the others are, it may be better next time.
  if (last_failure_) return *last_failure_;
  if (temporary_ > 0) return no_way(false, {4, 4, 3}, why_, "bad-domain");
  if (no_address_ > 0) return no_way(false, {4, 4, 4}, why_, "routing-errors");
  // A static route is our operator's: what is wrong with it can be mended.
  if (static_) return no_way(false, {4, 4, 4}, why_, "bad-configuration");
  return no_way(true, {5, 4, 4}, why_, refused_ > 0 ? "routing-errors" : "bad-domain");
}

bool MxPlan::names(std::string_view host) const {
  return std::ranges::find(hosts_, host) != hosts_.end();
}

}  // namespace godwit::sender
