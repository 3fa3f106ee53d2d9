#include "sender/config.h"

#include "common/text/idna.h"

namespace godwit::sender {

using config::Wrong;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

std::optional<control::Shaping::Tls> shaping_tls(const std::optional<RouteTls>& tls) {
  if (!tls) return std::nullopt;
  switch (*tls) {
    case RouteTls::kOpportunistic: return control::Shaping::Tls::kOpportunistic;
    case RouteTls::kRequired: return control::Shaping::Tls::kRequired;
    case RouteTls::kDisabled: return control::Shaping::Tls::kDisabled;
  }
  return std::nullopt;
}

std::optional<Wrong> check_pattern(const std::string& domain) {
  if (domain == "*") return std::nullopt;
  const std::string_view name =
      domain.starts_with("*.") ? std::string_view(domain).substr(2) : std::string_view(domain);
  if (text::to_ascii_domain(name)) return std::nullopt;
  return Wrong{config::quote(domain) + " is not a domain",
               "\"example.test\", \"*.example.test\" or \"*\""};
}

std::optional<Wrong> check_target(const std::string& to) {
  if (control::parse_route_target(to)) return std::nullopt;
  return Wrong{config::quote(to) + " is not a destination",
               "\"192.0.2.1:25\", \"[2001:db8::1]:25\", \"mail.example:25\" or \"capture\""};
}

}  // namespace

control::StaticRoutes Config::static_routes() const {
  std::vector<control::StaticRoute> list;
  list.reserve(routes.size());
  for (const RouteConfig& route : routes) {
    control::StaticRoute entry;
    const bool below = route.domain.starts_with("*.");
    const std::string name = below ? route.domain.substr(2) : route.domain;
    entry.domain = (below ? "*." : "") + text::to_ascii_domain(name).value_or(name);
    if (auto target = control::parse_route_target(route.to)) {
      entry.capture = target->capture;
      entry.host = target->host;
      entry.port = target->port;
    }
    entry.site = route.site;
    entry.tls = shaping_tls(route.tls);
    if (!route.username.empty()) {
      entry.auth = control::StaticRoute::Auth{route.username, route.password};
    }
    list.push_back(std::move(entry));
  }
  return control::StaticRoutes(std::move(list));
}

std::vector<net::Network> Config::own() const {
  std::vector<net::Network> networks;
  for (const std::string& text : own_networks) {
    if (auto network = net::Network::from_text(text)) networks.push_back(*network);
  }
  return networks;
}

void describe(config::Fields& fields, RouteConfig& route) {
  fields
      .add("domain", route.domain,
           "Recipient domain; \"*.example.test\" is every name below it, \"*\" all others.")
      .require()
      .check(check_pattern);
  fields.add("to", route.to, "Where its mail goes instead of to its MX: HOST[:PORT], or capture.")
      .require()
      .check(check_target);
  fields.add("site", route.site,
             "Lanes of all routes with the same site are one; empty: one lane a domain.");
  fields.add("tls", route.tls, "Overrides what shaping says about TLS for this route.");
  fields.add(
      "username", route.username,
      "AUTH before the first mail; only over verified TLS, to loopback, or with tls: disabled.");
  fields.add("password", route.password, "Goes with username.").hide();
  fields.rule("password", [&route]() -> std::optional<Wrong> {
    if (route.username.empty() == route.password.empty()) return std::nullopt;
    return Wrong{"username and password go together", "both or neither"};
  });
}

void describe(config::Fields& fields, RetrySchedule& retry) {
  fields.add("first", retry.first, "Wait before the second attempt.")
      .range(milliseconds{1}, hours{24});
  fields.add("factor", retry.factor, "Each further wait is this much longer.").range(1, 10);
  fields.add("max", retry.max, "Longest wait.").range(milliseconds{1}, hours{24 * 7});
  fields.add("age", retry.age, "A delivery this long after acceptance ends as expired.")
      .range(seconds{1}, hours{24 * 30});
  fields.add("jitter", retry.jitter, "Each wait is spread by this share of it, either way.")
      .range(0, 0.5);
  fields
      .add("after_unknown", retry.after_unknown,
           "Shortest wait after an attempt whose outcome nobody can know.")
      .range(milliseconds{1}, hours{24});
}

void describe(config::Fields& fields, Timeouts& timeouts) {
  const auto add = [&](std::string_view name, milliseconds& value, std::string_view doc) {
    fields.add(name, value, doc).range(milliseconds{1}, hours{1});
  };
  add("connect", timeouts.connect, "For a connection to one address.");
  add("banner", timeouts.banner, "For the greeting.");
  add("ehlo", timeouts.ehlo, "For the reply to EHLO.");
  add("starttls", timeouts.starttls, "For the TLS handshake and the reply before it.");
  add("auth", timeouts.auth, "For each step of AUTH.");
  add("mail", timeouts.mail, "For the reply to MAIL.");
  add("rcpt", timeouts.rcpt, "For the reply to RCPT.");
  add("data", timeouts.data, "For the reply to DATA.");
  add("block", timeouts.block, "For each write of content.");
  add("dot", timeouts.dot, "For the reply to the final dot; a short one sends mail twice.");
  add("quit", timeouts.quit, "For the reply to QUIT.");
}

void describe(config::Fields& fields, WindowConfig& window) {
  fields.add("records", window.records, "Deliveries of one partition and class in memory.")
      .range(1, 1'000'000)
      .restart();
  fields.add("bytes", window.bytes, "Octets of one partition and class in memory.")
      .bytes()
      .restart();
  fields
      .add("patience", window.patience,
           "Mail behind a slow lane is parked when the window was full this long.")
      .range(milliseconds{1}, hours{1})
      .restart();
  fields.add("lane_share", window.lane_share, "Deliveries of a slow lane that stay in memory.")
      .range(1, 1'000'000)
      .restart();
  fields.add("parked", window.parked, "Parked deliveries of one partition that are due, in memory.")
      .range(1, 1'000'000)
      .restart();
}

void describe(config::Fields& fields, Config& config) {
  fields.add("smtp_port", config.smtp_port, "Port of MX hosts.").range(1, 65535).restart();
  fields
      .add("routes", config.routes,
           "Destinations that are not looked up in the DNS; the narrowest pattern holds.")
      .restart();
  fields.add("retry", config.retry, "When deferred mail is tried again.").restart();
  fields.add("timeouts", config.timeouts, "How long answers are waited for.").restart();
  fields.add("window", config.window, "What is held in memory.").restart();
  fields
      .add("content_memory", config.content_memory,
           "Content in memory for attempts and parking, in the whole process; more waits its turn.")
      .bytes()
      .restart();
  fields
      .add("commit_interval", config.commit_interval,
           "Outcomes are committed this often; on Kafka log.kafka.commit_interval says so.")
      .range(milliseconds{1}, seconds{10})
      .restart();
  fields
      .add("commit_age_max", config.commit_age_max,
           "No new attempt while a commit waits longer than this for its acknowledgement.")
      .range(milliseconds{10}, minutes{1})
      .restart();
  fields
      .add("drain_wait", config.drain_wait,
           "Open transactions are waited for this long when a partition is given back.")
      .range(milliseconds{1}, minutes{30})
      .restart();
  fields
      .add("connection_failures_max", config.connection_failures_max,
           "Failed connections of a source to a site, in a row, before it pauses.")
      .range(1, 1'000'000)
      .restart();
  fields
      .add("metric_domains_max", config.metric_domains_max,
           "Recipient domains that godwit_sender_queue_recipients_by_domain names; 0: none.")
      .range(0, 1000)
      .restart();
  fields
      .add("notify", config.notify,
           "Senders are told of failures, and of what else they asked for (RFC 3461).")
      .restart();
  fields
      .add("delay_notice", config.delay_notice,
           "Who asked for it (NOTIFY=DELAY) is told of a delay this long after acceptance.")
      .range(minutes{0}, seconds{30 * 86'400})
      .restart();
  fields
      .add("tls_ca_file", config.tls_ca_file,
           "PEM of the roots that verified TLS needs; empty: the system's.")
      .restart();
  fields
      .add("own_networks", config.own_networks, "Networks of ours: an MX host in them is refused.")
      .check([](const std::vector<std::string>& networks) -> std::optional<Wrong> {
        for (const std::string& network : networks) {
          if (!net::Network::from_text(network)) {
            return Wrong{config::quote(network) + " is not a network", "\"192.0.2.0/24\""};
          }
        }
        return std::nullopt;
      })
      .restart();
}

}  // namespace godwit::sender
