#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/ids.h"
#include "common/control/placement.h"

// Control data: who may send what, from where, how fast. Plain values; the YAML form is in
// docs/control.md.
namespace godwit::control {

// "100/s", "5000/h, max_burst=10": at most `count` in `per`, evenly spaced, `burst` at once.
struct Rate {
  std::uint64_t count = 0;
  std::chrono::milliseconds per{1000};
  std::uint64_t burst = 1;
  bool operator==(const Rate&) const = default;
};

struct Credential {
  std::string username;
  std::string password;  // "$argon2id$..." or, for trials, plain text
};

struct ApiKey {
  std::string name;
  std::string key;  // "sha256:<hex>" or, for trials, plain text
  std::vector<std::string> scopes;
};

struct DkimKey {
  std::string selector;
  std::string key_file;  // PEM, absolute
};

struct SenderDomain {
  std::string name;  // lower case, A-labels
  bool verified = false;
  std::string return_path;  // domain of the VERP address; empty: none
  std::vector<DkimKey> dkim;
};

// What becomes of a recipient when the connection died after the final dot: nobody can know whether the host has the
// mail.
enum class OutcomeUnknown : std::uint8_t {
  kRetry,  // tried again after a while: it may arrive twice
  kHold,   // waits for an operator, or its age: it may not arrive
};

struct Tenant {
  TenantName name;
  PoolName pool{"default"};
  std::vector<Credential> credentials;
  std::vector<ApiKey> api_keys;
  std::vector<SenderDomain> domains;
  bool dsn = true;  // its senders get notifications (RFC 3461) about relayed and submitted mail
  OutcomeUnknown outcome_unknown = OutcomeUnknown::kRetry;
};

// Who has the addresses of a source, where this machine has not: connections go there, and begin
// with a PROXY header (version 2) that names the source's address and the mail host's.
struct SourceProxy {
  std::string address;  // IP address and port, text form; empty: there is none
};

// An egress address. Empty addresses: the system chooses; behind a proxy one of them is there.
struct Source {
  SourceName name;
  std::string address;   // IPv4, text form
  std::string address6;  // IPv6; without it IPv6 hosts are not tried from this source
  std::string public_address;
  std::string public_address6;
  std::string ehlo;  // empty: the host's name
  SourceProxy proxy;
};

struct PoolMember {
  SourceName source;
  std::uint32_t weight = 1;  // 0: takes no new mail
};

struct Pool {
  PoolName name;
  std::vector<PoolMember> members;
};

// Limits of a source at a site, after all entries that match were laid over each other (later and
// narrower wins). `lane_` limits hold for all sources of the lane together.
struct Shaping {
  std::uint32_t connection_limit = 10;
  std::optional<std::uint32_t> lane_connection_limit;
  std::optional<Rate> max_connection_rate;
  std::optional<Rate> max_message_rate;
  std::optional<Rate> lane_max_message_rate;
  std::uint32_t max_deliveries_per_connection = 100;
  std::uint32_t max_recipients_per_batch = 100;
  std::chrono::milliseconds idle_timeout{std::chrono::seconds(10)};
  enum class Tls { kOpportunistic, kRequired, kDisabled } tls = Tls::kOpportunistic;
  bool operator==(const Shaping&) const = default;
};

// What one partition of a wide lane may do: limits of the lane as a whole are divided.
[[nodiscard]] Shaping slice(Shaping shaping, const LaneShare& share);

// One entry of the `shaping` list: whom it is for, and the fields it sets.
struct ShapingEntry {
  bool is_default = false;  // matches everything
  std::string domain;       // recipient domain; gives that domain a lane of its own
  std::string site;         // site (provider) name
  std::string source;       // narrows to one source
  std::optional<std::uint32_t> connection_limit;
  std::optional<std::uint32_t> lane_connection_limit;
  std::optional<Rate> max_connection_rate;
  std::optional<Rate> max_message_rate;
  std::optional<Rate> lane_max_message_rate;
  std::optional<std::uint32_t> max_deliveries_per_connection;
  std::optional<std::uint32_t> max_recipients_per_batch;
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<Shaping::Tls> tls;
};

// Control data as it is written: what a file says, or the table `control` holds.
struct Content {
  std::map<std::string, Tenant> tenants;
  std::map<std::string, Source> sources;
  std::map<std::string, Pool> pools;
  std::vector<ShapingEntry> shaping;
  Placement placement;
};

// Everything at one moment. Immutable once published; holders keep it alive.
// The tenant, the source and the pool `default` are always in it.
class Snapshot : public Content {
 public:
  std::uint64_t version = 0;

  [[nodiscard]] const Tenant* tenant(std::string_view name) const;
  [[nodiscard]] const Pool* pool(std::string_view name) const;
  [[nodiscard]] const Source* source(std::string_view name) const;
  // The tenant that owns a credential, and the credential. Constant time in the number of tenants.
  struct Account {
    const Tenant* tenant = nullptr;
    const Credential* credential = nullptr;
  };
  [[nodiscard]] std::optional<Account> account(std::string_view username) const;
  // The tenant a verified sender domain belongs to; nullptr: none.
  [[nodiscard]] const Tenant* tenant_of_domain(std::string_view domain) const;
  // True when an entry names this recipient domain: it has a lane of its own.
  [[nodiscard]] bool shapes_domain(std::string_view domain) const;
  // The limits of `source` at `site`, for recipient domain `domain`: the entries that match, laid
  // over each other from the widest to the narrowest (everything, a site, a domain; at each of
  // these without and then with a source), in the order of the list where they are equally narrow.
  [[nodiscard]] Shaping shaping_of(std::string_view site, std::string_view domain,
                                   std::string_view source) const;

  // Where lanes are at that moment: a change takes effect everywhere at once.
  [[nodiscard]] const LaneMap& lanes(Timestamp now) const {
    return now < placement.effective_at ? lanes_before_ : lanes_;
  }

  // Called once by whoever built the value, before it is published: fills the look-up tables.
  void index();

 private:
  [[nodiscard]] LaneMap lane_map(const PlacementMap& map) const;

  std::unordered_map<std::string, Account> accounts_;
  std::unordered_map<std::string, const Tenant*> domains_;
  std::unordered_set<std::string> shaped_domains_;
  LaneMap lanes_;
  LaneMap lanes_before_;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

// The content with the defaults added, indexed.
[[nodiscard]] std::shared_ptr<Snapshot> make_snapshot(Content content);
// A snapshot with nothing but the defaults: what an installation without control data has.
[[nodiscard]] SnapshotPtr default_snapshot();

// Takes out what refers to something that is not there, or is there twice: two changes made at the
// same moment, each right by itself, may leave that behind. The rest stays in force. Returns what
// was wrong, for people; empty: nothing.
[[nodiscard]] std::vector<std::string> mend(Content& content);

// Where roles get the current snapshot. Threads: any. current() is cheap but takes a reference:
// get it once per session, message or attempt, not per line.
class View {
 public:
  virtual ~View() = default;
  [[nodiscard]] virtual SnapshotPtr current() const = 0;
};

}  // namespace godwit::control
