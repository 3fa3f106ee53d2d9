#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/net/address.h"
#include "common/net/resolver.h"
#include "common/smtp/reply.h"

namespace godwit::sender {

// Why a domain cannot be delivered to, now or ever.
struct NoWay {
  bool permanent = false;
  smtp::Reply reply;                   // code 0: nobody said it; `enhanced` is set
  std::string_view category;           // of the event
  std::string_view stage = "connect";  // of the dialogue, where it was said
};

// Which hosts and addresses one attempt tries for a domain, one after another.
//
// The owner asks next() what to do and tells the plan what came of it, until a connection is good or the plan
// is exhausted; then verdict() says what becomes of the mail.
//
//   MX records          by preference, equals in random order (RFC 5321 s5.1); at most kHostsMax hosts
//   no MX record        the domain itself, by its A and AAAA records (RFC 5321 s5.1 "implicit MX")
//   null MX             bounced, 5.1.10 (RFC 7505 s3)
//   domain NXDOMAIN     bounced, 5.1.2
//   SERVFAIL, timeout, bogus answer        deferred, 4.4.3
//   a host's addresses  IPv6 and IPv4 in turn, IPv6 first, each in random order; families the source does
//                       not send over are left out; at most kAddressesMax a host
//   loopback, private, link-local, reserved and our own addresses: never; when nothing else is left 5.4.4
//   every host NXDOMAIN bounced, 5.4.4; hosts without addresses (no data): deferred, 4.4.4: the zone may be
//                       half edited
//   address literal     that address, with the same ranges refused
//   static route        its host or address, any range
//
// Threads   pure
// Source    RFC 5321 s5.1, RFC 7505, RFC 3463 s3.5
class MxPlan {
 public:
  static constexpr std::size_t kHostsMax = 10;
  static constexpr std::size_t kAddressesMax = 6;
  static constexpr std::size_t kConnectionsMax = 12;  // of one attempt, over all hosts

  struct Families {
    bool ipv4 = true;
    bool ipv6 = false;
  };
  using Refused = std::function<bool(const net::IpAddress&)>;

  // For `domain` (A-labels, lower case) after its MX look-up.
  [[nodiscard]] static MxPlan from_mx(std::string_view domain,
                                      const net::DnsAnswer<net::MxRecord>& answer,
                                      std::uint16_t port, Random& random);
  // For a recipient domain "[192.0.2.1]" or "[IPv6:2001:db8::1]": no look-up.
  [[nodiscard]] static MxPlan from_literal(std::string_view literal, std::uint16_t port);
  // A static route: a name or an address in text form.
  [[nodiscard]] static MxPlan from_route(std::string_view host, std::uint16_t port);

  struct Target {
    std::string host;
    net::Address address;
  };
  struct Step {
    enum class Kind { kResolve, kConnect, kExhausted } kind = Kind::kExhausted;
    std::string host;  // kResolve: ask for its addresses, then resolved()
    Target target;     // kConnect: when it fails, failed(); then next()
  };
  [[nodiscard]] Step next();

  // Addresses of the host of the last kResolve. A family that was not asked for: kNoData.
  void resolved(const net::DnsAnswer<net::IpAddress>& ipv4,
                const net::DnsAnswer<net::IpAddress>& ipv6, const Families& families,
                const Refused& refused, Random& random);
  // What the last target answered instead of serving us; the last one said is reported.
  void failed(smtp::Reply reply, std::string_view category, std::string_view stage);

  // After kExhausted.
  [[nodiscard]] NoWay verdict() const;

  // True when mail for this domain may go to `host` (the plan names it).
  [[nodiscard]] bool names(std::string_view host) const;
  [[nodiscard]] bool is_static() const { return static_; }

 private:
  void add_target(const std::string& host, const net::IpAddress& address, const Families& families,
                  const Refused& refused);

  std::uint16_t port_ = 25;
  bool static_ = false;
  std::optional<NoWay> fixed_;  // known before any host is tried
  std::vector<std::string> hosts_;
  std::size_t host_next_ = 0;
  std::deque<Target> targets_;
  std::size_t connections_ = 0;
  // What was met on the way.
  std::optional<NoWay> last_failure_;
  std::size_t temporary_ = 0;   // hosts whose look-up may have another answer soon
  std::size_t no_address_ = 0;  // hosts without a usable address family
  std::size_t nxdomain_ = 0;
  std::size_t refused_ = 0;  // addresses in ranges we do not send to
  std::string why_;
};

}  // namespace godwit::sender
