#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace godwit::admin {

// What somebody may do; each role may do what those before it may.
enum class Role : std::uint8_t {
  kViewer =
      1,  // looks: counts, states, events; never the octets of a mail, never a secret or its hash
  kOperator = 2,  // acts on mail and on processes: decides, drains, evicts
  kAdmin = 3,     // changes who may send what: control data
};
[[nodiscard]] std::string_view role_name(Role role);  // "viewer"
[[nodiscard]] std::optional<Role> role_of_name(std::string_view name);

// What a call of the administration service asks of who makes it.
struct Rule {
  std::string_view rpc;  // of the service Admin: "NodeInfo"
  Role role;             // at least
  // It changes something: its request has a `reason`, which is needed, and it is written to the topic `audit`.
  bool changes;
};

// One for each rpc of the service, in its order; a test compares them with its descriptor.
[[nodiscard]] std::span<const Rule> rules();
// CHECKs that there is one.
[[nodiscard]] const Rule& rule_of(std::string_view rpc);

// Who is behind a call, as the server found out.
struct Caller {
  std::string name;  // "token ops", "certificate CN=ann", "loopback": nothing the client can choose
  Role role = Role::kViewer;
  std::string client;  // what it says of itself, and where from: "ann@laptop ipv4:127.0.0.1:50124"
  std::string reason;  // of a call that changes something: one line, not empty

  // Both, for records that have one text: "token ops (ann@laptop ipv4:127.0.0.1:50124)".
  [[nodiscard]] std::string to_text() const;
};

// Of a reason, in octets.
inline constexpr std::size_t kReasonBytesMax = 500;

}  // namespace godwit::admin
