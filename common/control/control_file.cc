#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/control/control_fields.h"
#include "common/control/control_file.h"
#include "common/text/idna.h"

// The control file: its keys, as common/config reads them, and the rules between them.

namespace godwit::config {

std::expected<control::SlotRange, Wrong> Scalar<control::SlotRange>::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = Scalar<std::uint32_t>::parse(text.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : Scalar<std::uint32_t>::parse(text.substr(dash + 1));
  if (!first || !last || *first > *last || *last >= control::kSlots) {
    return std::unexpected(
        Wrong{quote(text) + " is no range of slots", fmt::format("0-{}", control::kSlots - 1)});
  }
  return control::SlotRange{*first, *last};
}

std::string Scalar<control::SlotRange>::render(const control::SlotRange& slots) {
  if (slots.first == slots.last) return std::to_string(slots.first);
  return fmt::format("{}-{}", slots.first, slots.last);
}

}  // namespace godwit::config

namespace godwit::control {
namespace {

constexpr std::string_view kDefault = "default";
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kUsernameBytesMax = 255;

using Complaint = std::optional<config::Wrong>;

// Names stand in keys, lanes, metrics and paths.
Complaint name_complaint(std::string_view name) {
  const bool good =
      !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.").contains(c);
      });
  if (good) return std::nullopt;
  return config::Wrong{config::quote(name) + " is no name", "1 to 64 letters, digits, - _ ."};
}

Complaint domain_complaint(const std::string& domain) {
  if (domain.empty() || text::to_ascii_domain(domain)) return std::nullopt;
  return config::Wrong{config::quote(domain) + " is no domain", "a domain, as in acme.example"};
}

template <int family>
Complaint address_complaint(const std::string& address) {
  std::array<std::byte, sizeof(in6_addr)> out{};
  if (address.empty() || inet_pton(family, address.c_str(), out.data()) == 1) return std::nullopt;
  return config::Wrong{config::quote(address) + " is no address",
                       family == AF_INET ? "an IPv4 address" : "an IPv6 address"};
}

Complaint proxy_complaint(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto parsed = config::parse_host_port(text);
  if (!parsed) return parsed.error();
  if (parsed->port > 0 &&
      (!address_complaint<AF_INET>(parsed->host) || !address_complaint<AF_INET6>(parsed->host)))
    return std::nullopt;
  return config::Wrong{config::quote(text) + " is no IP address with a port",
                       "as 10.0.0.5:5000 or [2001:db8::5]:5000"};
}

Complaint username_complaint(const std::string& username) {
  if (username.empty()) return config::Wrong{"is empty", "a user name"};
  if (username.size() > kUsernameBytesMax)
    return config::Wrong{"is too long", fmt::format("at most {} octets", kUsernameBytesMax)};
  return std::nullopt;
}

Complaint password_complaint(const std::string& password) {
  if (!password.empty()) return std::nullopt;
  return config::Wrong{"is empty: nobody may log in without a password",
                       "a password, or its argon2id hash"};
}

Complaint partitions_complaint(const std::vector<log::PartitionId>& partitions) {
  if (partitions.empty()) return config::Wrong{"is empty", "[0]"};
  if (std::set(partitions.begin(), partitions.end()).size() < partitions.size())
    return config::Wrong{"has a partition twice", "each once"};
  return std::nullopt;
}

template <class Tag>
Complaint id_complaint(const Name<Tag>& name) {
  return name_complaint(name.text());
}

}  // namespace

// Found by their arguments from the templates of common/config, so not in the namespace above.

void describe(config::Fields& fields, Credential& credential) {
  fields.add("username", credential.username, "Name to log in with; one over all tenants.")
      .require()
      .check(username_complaint);
  fields.add("password", credential.password, "An argon2id hash, or plain text for trials.")
      .require()
      .hide()
      .check(password_complaint);
}

void describe(config::Fields& fields, ApiKey& key) {
  fields.add("name", key.name, "Name of the key, shown instead of it.")
      .require()
      .check([](const std::string& name) { return name_complaint(name); });
  fields.add("key", key.key, "`sha256:` and the hash in hexadecimal, or plain text for trials.")
      .require()
      .hide()
      .check(password_complaint);
  fields.add("scopes", key.scopes, "What the key may do: `send`, `read`.");
}

void describe(config::Fields& fields, DkimKey& key) {
  fields.add("selector", key.selector, "Selector the public key stands under in the DNS.")
      .require()
      .check(domain_complaint);
  fields.add("key", key.key_file, "PEM file with the private key.").require();
}

void describe(config::Fields& fields, SenderDomain& domain) {
  fields.add("name", domain.name, "Domain the tenant sends from.")
      .require()
      .check(domain_complaint);
  fields.add("verified", domain.verified, "The tenant has shown that the domain is theirs.");
  fields.add("return_path", domain.return_path, "Domain bounces come back to.")
      .check(domain_complaint);
  fields.add("dkim", domain.dkim, "Keys to sign with.").not_yet("mail is not signed");
}

void describe(config::Fields& fields, Tenant& tenant) {
  fields.add("name", tenant.name, "Name of the tenant, as in events.")
      .require()
      .check(id_complaint<struct TenantNameTag>);
  fields.add("pool", tenant.pool, "Pool its mail leaves from.");
  fields.add("credentials", tenant.credentials, "Who may submit for it by SMTP.");
  fields.add("api_keys", tenant.api_keys, "Who may submit for it by HTTP.")
      .not_yet("there is no HTTP API");
  fields.add("domains", tenant.domains, "Domains it sends from.");
  fields.add("dsn", tenant.dsn, "Its senders get notifications about what was not delivered.");
  fields.add("outcome_unknown", tenant.outcome_unknown,
             "When a host may have taken a mail or not: `retry`, or `hold` for an operator.");
}

void describe(config::Fields& fields, SourceProxy& proxy) {
  fields
      .add("address", proxy.address,
           "IP address and port that take a PROXY header; empty: this machine has the addresses.")
      .check(proxy_complaint);
}

void describe(config::Fields& fields, Source& source) {
  fields.add("address", source.address, "IPv4 address to send from; empty: the system chooses.")
      .check(address_complaint<AF_INET>);
  fields.add("address6", source.address6, "IPv6 address to send from; empty: never by IPv6.")
      .check(address_complaint<AF_INET6>);
  fields.add("public", source.public_address, "How the world sees `address` through NAT.")
      .check(address_complaint<AF_INET>);
  fields.add("public6", source.public_address6, "How the world sees `address6`.")
      .check(address_complaint<AF_INET6>);
  fields.add("ehlo", source.ehlo, "Name to greet with; empty: this machine's.")
      .check(domain_complaint);
  fields.add("proxy", source.proxy, "Who has the addresses, where this machine has not.");
  fields.rule("proxy", [&source]() -> Complaint {
    if (source.proxy.address.empty() || !source.address.empty() || !source.address6.empty())
      return std::nullopt;
    return config::Wrong{"has no address to send from",
                         "address or address6 of the source, which the proxy has"};
  });
}

void describe(config::Fields& fields, PoolMember& member) {
  fields.add("source", member.source, "One of `sources`.").require();
  fields.add("weight", member.weight, "Its share of the mail; 0: takes no new mail.")
      .range(0, 1'000'000);
}

void describe(config::Fields& fields, ShapingEntry& entry) {
  constexpr std::uint32_t kMax = 1'000'000;
  fields.add("default", entry.is_default, "The entry is for everything.");
  fields.add("domain", entry.domain, "Recipient domain; it gets a lane of its own.")
      .check(domain_complaint);
  fields.add("site", entry.site, "Site, as in events: `google`.");
  fields.add("source", entry.source, "Only mail from this source.");
  fields.add("connection_limit", entry.connection_limit, "Connections of a source at a time.")
      .range(1, kMax);
  fields
      .add("lane_connection_limit", entry.lane_connection_limit,
           "The same for all sources of a lane together.")
      .range(1, kMax);
  fields.add("max_connection_rate", entry.max_connection_rate, "New connections of a source.");
  fields.add("max_message_rate", entry.max_message_rate, "Messages of a source.");
  fields.add("lane_max_message_rate", entry.lane_max_message_rate,
             "The same for all sources of a lane together.");
  fields
      .add("max_deliveries_per_connection", entry.max_deliveries_per_connection,
           "Messages before a connection is closed.")
      .range(1, kMax);
  fields
      .add("max_recipients_per_batch", entry.max_recipients_per_batch,
           "Recipients of one transaction.")
      .range(1, 1'000);
  fields.add("idle_timeout", entry.idle_timeout, "How long an idle connection is kept.")
      .range(std::chrono::milliseconds{0}, std::chrono::hours{1});
  fields.add("tls", entry.tls, "Whether connections are encrypted.");
}

void describe(config::Fields& fields, SlotMove& move) {
  fields.add("slots", move.slots, "A slot or a range of them: 477, 0-1023.").require();
  fields.add("partition", move.partition, "Where their lanes are.").require();
}

void describe(config::Fields& fields, PinnedLane& lane) {
  fields.add("site", lane.site, "Site, as in events: `google`.").require();
  fields.add("pool", lane.pool, "Pool the lane's mail leaves from.");
  fields
      .add("partitions", lane.partitions,
           "Where the lane is; over several of them its pool's sources are spread.")
      .require()
      .check(partitions_complaint);
}

void describe(config::Fields& fields, PlacementMap& map) {
  fields.add("slots", map.slots, "Slots that are elsewhere than modulo the partitions.");
  fields.add("lanes", map.lanes, "Lanes that are elsewhere than their slot.");
}

void describe(config::Fields& fields, ControlFile& file) {
  fields.add("tenants", file.tenants, "Who sends.");
  fields.add("sources", file.sources, "Addresses to send from.");
  fields.add("pools", file.pools, "Sources that share the mail of a tenant.");
  fields.add("shaping", file.shaping, "How fast; later and narrower entries override.");
  fields.add("placement", file.placement, "Which partition has a lane's mail.");
}

namespace {

using config::Mark;
using config::Node;

// What the keys of one entry cannot know: names that have to be elsewhere in the file, or only
// once.
class CrossCheck {
 public:
  CrossCheck(const ControlFile& file, const Node& root, const Content& beside,
             config::Reading& reading)
      : file_(file), root_(root), beside_(beside), reading_(reading) {}

  void run() {
    take_names_beside();
    for (std::size_t i = 0; i < file_.tenants.size(); ++i) check_tenant(i);
    for (const auto& [name, source] : file_.sources) {
      if (Complaint complaint = name_complaint(name))
        say("sources." + name, {"sources", name}, *std::move(complaint));
    }
    for (const auto& [name, members] : file_.pools) check_pool(name, members);
    for (std::size_t i = 0; i < file_.shaping.size(); ++i) check_shaping(i);
    for (std::size_t i = 0; i < file_.placement.lanes.size(); ++i) check_pinned(i);
  }

 private:
  // A tenant of the file stands for all of what it was before.
  void take_names_beside() {
    std::set<std::string> here;
    for (const Tenant& tenant : file_.tenants) here.insert(tenant.name.text());
    for (const auto& [name, tenant] : beside_.tenants) {
      if (here.contains(name)) continue;
      for (const Credential& credential : tenant.credentials)
        usernames_.emplace(credential.username, name);
      for (const SenderDomain& domain : tenant.domains) {
        if (domain.verified) domains_.emplace(domain.name, name);
      }
    }
  }

  void check_tenant(std::size_t i) {
    const Tenant& tenant = file_.tenants[i];
    const std::string key = fmt::format("tenants[{}]", i);
    const std::string index = std::to_string(i);
    once(tenants_, tenant.name.text(), key + ".name", {"tenants", index, "name"}, "tenant");
    const std::string& pool = tenant.pool.text();
    if (pool != kDefault && !file_.pools.contains(pool) && !beside_.pools.contains(pool)) {
      say(key + ".pool", {"tenants", index, "pool"}, {unknown("pool", pool), "one of `pools`"});
    }
    for (std::size_t k = 0; k < tenant.credentials.size(); ++k) {
      once(usernames_, tenant.credentials[k].username,
           fmt::format("{}.credentials[{}].username", key, k),
           {"tenants", index, "credentials", std::to_string(k), "username"}, "user name");
    }
    Owners keys;
    for (std::size_t k = 0; k < tenant.api_keys.size(); ++k) {
      once(keys, tenant.api_keys[k].name, fmt::format("{}.api_keys[{}].name", key, k),
           {"tenants", index, "api_keys", std::to_string(k), "name"}, "key");
    }
    Owners own;
    for (std::size_t k = 0; k < tenant.domains.size(); ++k) {
      const Result<std::string> domain = text::to_ascii_domain(tenant.domains[k].name);
      if (!domain) continue;  // said where it was read
      const std::string at = fmt::format("{}.domains[{}].name", key, k);
      const std::vector<std::string> path = {"tenants", index, "domains", std::to_string(k),
                                             "name"};
      if (tenant.domains[k].verified)
        once(domains_, *domain, at, path, "verified domain");
      else
        once(own, *domain, at, path, "domain of the tenant");
    }
  }

  void check_pool(const std::string& name, const std::vector<PoolMember>& members) {
    const std::string key = "pools." + name;
    if (Complaint complaint = name_complaint(name))
      say(key, {"pools", name}, *std::move(complaint));
    if (members.empty()) say(key, {"pools", name}, {"has no sources", "[{source: NAME}]"});
    Owners seen;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string& source = members[i].source.text();
      const std::vector<std::string> path = {"pools", name, std::to_string(i), "source"};
      check_source(source, fmt::format("{}[{}].source", key, i), path);
      once(seen, source, fmt::format("{}[{}].source", key, i), path, "source of the pool");
    }
  }

  void check_shaping(std::size_t i) {
    const ShapingEntry& entry = file_.shaping[i];
    const std::string key = fmt::format("shaping[{}]", i);
    const std::string index = std::to_string(i);
    const bool narrow = !entry.domain.empty() || !entry.site.empty() || !entry.source.empty();
    if (!narrow && !entry.is_default) {
      say(key, {"shaping", index},
          {"says for nobody what it says", "default: true, domain, site or source"});
    }
    if (narrow && entry.is_default) {
      say(key + ".default", {"shaping", index, "default"},
          {"is for everything and for something", "one of both"});
    }
    if (!entry.source.empty())
      check_source(entry.source, key + ".source", {"shaping", index, "source"});
  }

  void check_pinned(std::size_t i) {
    const PinnedLane& lane = file_.placement.lanes[i];
    const std::string key = fmt::format("placement.lanes[{}]", i);
    const std::string index = std::to_string(i);
    const std::string& pool = lane.pool.text();
    once(pinned_, lane.site.text() + " " + pool, key, {"placement", "lanes", index}, "lane");
    std::size_t sources = 1;  // of the default pool that nobody wrote
    if (const auto here = file_.pools.find(pool); here != file_.pools.end()) {
      sources = here->second.size();
    } else if (const auto there = beside_.pools.find(pool); there != beside_.pools.end()) {
      sources = there->second.members.size();
    } else if (pool != kDefault) {
      return say(key + ".pool", {"placement", "lanes", index, "pool"},
                 {unknown("pool", pool), "one of `pools`"});
    }
    if (lane.partitions.size() <= sources) return;
    say(key + ".partitions", {"placement", "lanes", index, "partitions"},
        {fmt::format("has {} partitions, and the pool has {} sources", lane.partitions.size(),
                     sources),
         "a source for each partition"});
  }

  void check_source(const std::string& source, const std::string& key,
                    const std::vector<std::string>& path) {
    if (source == kDefault || file_.sources.contains(source) || beside_.sources.contains(source))
      return;
    say(key, path, {unknown("source", source), "one of `sources`"});
  }

  // By name: the tenant beside the file that has it; empty: the file.
  using Owners = std::map<std::string, std::string>;

  void once(Owners& seen, const std::string& name, const std::string& key,
            const std::vector<std::string>& path, std::string_view what) {
    if (name.empty()) return;
    const auto [owner, fresh] = seen.emplace(name, std::string());
    if (fresh) return;
    if (owner->second.empty()) {
      say(key, path,
          {fmt::format("the {} {} is there twice", what, config::quote(name)), "each once"});
    } else {
      say(key, path,
          {fmt::format("the {} {} belongs to the tenant {}", what, config::quote(name),
                       config::quote(owner->second)),
           "another"});
    }
  }

  [[nodiscard]] static std::string unknown(std::string_view what, std::string_view name) {
    return fmt::format("there is no {} {}", what, config::quote(name));
  }

  void say(const std::string& key, const std::vector<std::string>& path, config::Wrong wrong) {
    const config::Reading::Step step(reading_, key);
    reading_.wrong(mark_of(path), std::move(wrong));
  }

  // The place of a part of the file; of the nearest thing around it when it is not written there.
  [[nodiscard]] Mark mark_of(const std::vector<std::string>& path) const {
    const Node* node = &root_;
    Mark mark = node->mark;
    for (const std::string& part : path) {
      if (node->kind == Node::Kind::kList) {
        const std::size_t index = std::stoul(part);
        node = index < node->items.size() ? &node->items[index] : nullptr;
      } else {
        node = node->find(part);
      }
      if (node == nullptr) break;
      mark = node->mark;
    }
    return mark;
  }

  const ControlFile& file_;
  const Node& root_;
  const Content& beside_;
  config::Reading& reading_;
  Owners tenants_, usernames_, domains_, pinned_;
};

void normalise(std::string& domain) {
  if (Result<std::string> name = text::to_ascii_domain(domain)) domain = *std::move(name);
}

Content content_of(ControlFile file, const std::filesystem::path& directory) {
  Content content;
  for (auto& [name, source] : file.sources) {
    source.name = SourceName(name);
    normalise(source.ehlo);
    content.sources.emplace(name, std::move(source));
  }
  for (auto& [name, members] : file.pools) {
    content.pools.emplace(name, Pool{.name = PoolName(name), .members = std::move(members)});
  }
  for (Tenant& tenant : file.tenants) {
    for (SenderDomain& domain : tenant.domains) {
      normalise(domain.name);
      normalise(domain.return_path);
      for (DkimKey& key : domain.dkim) key.key_file = (directory / key.key_file).string();
    }
    const std::string name = tenant.name.text();
    content.tenants.emplace(name, std::move(tenant));
  }
  for (ShapingEntry& entry : file.shaping) normalise(entry.domain);
  content.shaping = std::move(file.shaping);
  content.placement.map = std::move(file.placement);
  return content;
}

}  // namespace

ParsedControl parse_control(std::string_view yaml, const std::filesystem::path& file,
                            const Content& beside) {
  std::error_code ignored;
  const std::filesystem::path directory = std::filesystem::absolute(file, ignored).parent_path();
  config::Reading reading(file.string(), directory);
  const Node root = config::parse_yaml(yaml, file.string(), reading.problems());
  const bool parsed = reading.problems().empty() || root.kind != Node::Kind::kNull;
  ControlFile content;
  if (parsed) {
    config::Fields fields;
    describe(fields, content);
    fields.read(&root, Mark{1, 1}, reading);
    CrossCheck(content, root, beside, reading).run();
  }
  ParsedControl out{.problems = std::move(reading.problems()),
                    .notices = std::move(reading.notices())};
  std::ranges::sort(out.problems, {}, [](const config::Problem& problem) {
    return std::tuple(problem.mark.line, problem.mark.column, problem.key, problem.what);
  });
  const auto named = [&](std::string_view key) { return root.find(key) != nullptr; };
  out.named = {.tenants = named("tenants"),
               .sources = named("sources"),
               .pools = named("pools"),
               .shaping = named("shaping"),
               .placement = named("placement")};
  if (out.problems.empty()) out.content = content_of(std::move(content), directory);
  return out;
}

}  // namespace godwit::control
