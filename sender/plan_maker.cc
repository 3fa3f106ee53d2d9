#include "sender/plan_maker.h"

#include <algorithm>

#include "sender/source_choice.h"

namespace godwit::sender {

async::Task<MxPlan> PlanMaker::make(std::string domain) {
  route_ = env_.routes.find(domain);
  if (route_ != nullptr) {
    if (route_->capture && env_.capture) {
      co_return MxPlan::from_route(env_.capture->ip.to_text(), env_.capture->port);
    }
    co_return MxPlan::from_route(route_->host, route_->port);
  }
  if (domain.starts_with('[')) co_return MxPlan::from_literal(domain, env_.config.smtp_port);
  const auto answer = co_await env_.resolver.mx_until(domain, stop_);
  co_return MxPlan::from_mx(domain, answer, env_.config.smtp_port, env_.random);
}

async::Task<void> PlanMaker::resolve(MxPlan& plan, std::string host) {
  using Answer = net::DnsAnswer<net::IpAddress>;
  MxPlan::Families families{sends_over_ipv4(egress_), sends_over_ipv6(egress_)};
  Answer four{.outcome = net::DnsOutcome::kNoData};
  Answer six{.outcome = net::DnsOutcome::kNoData};
  if (const auto address = net::IpAddress::from_text(host)) {
    Answer& answer = address->is_v4() ? four : six;
    answer.outcome = net::DnsOutcome::kFound;
    answer.records.push_back(*address);
    // Our own machine is reached over whatever family the route names.
    if (plan.is_static() && address->is_loopback()) families = {true, true};
  } else {
    if (families.ipv4)
      four = co_await env_.resolver.addresses_until(host, net::Family::kIpv4, stop_);
    if (families.ipv6)
      six = co_await env_.resolver.addresses_until(host, net::Family::kIpv6, stop_);
  }
  const control::SnapshotPtr control = env_.control.current();
  const std::vector<net::Network> own = env_.config.own();
  const auto refused = [&](const net::IpAddress& address) {
    const std::string text = address.to_text();
    return std::ranges::any_of(own,
                               [&](const auto& network) { return network.contains(address); }) ||
           std::ranges::any_of(control->sources, [&](const auto& entry) {
             const control::Source& source = entry.second;
             return text == source.address || text == source.address6 ||
                    text == source.public_address || text == source.public_address6;
           });
  };
  plan.resolved(four, six, families, refused, env_.random);
}

async::Task<bool> PlanMaker::leads_to(std::string domain, std::string host) {
  const control::StaticRoute* route = env_.routes.find(domain);
  if (route != nullptr || route_ != nullptr) {
    // The same hosts, the same credentials: routes that share a site are interchangeable only then.
    co_return route == route_;
  }
  const auto answer = co_await env_.resolver.mx_until(domain, stop_);
  co_return std::ranges::any_of(answer.records,
                                [&](const net::MxRecord& mx) { return mx.host == host; });
}

}  // namespace godwit::sender
