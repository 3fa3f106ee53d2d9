#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct ssl_ctx_st;

namespace godwit::net {

// The contexts of a server's certificates, by the names that these are for: the DNS names of
// subjectAltName or, without any, the common name. A wildcard stands for one label.
//
// Ordering  a name that two certificates have belongs to the one that was added first; a name of
//           its own goes before a wildcard
// Memory    the references to the contexts
// Threads   find() from any; nothing is added after attach()
// Source    RFC 6066 section 3 (server_name), RFC 6125 section 6.4 (wildcards)
class ServerNames {
 public:
  // `own`: the context that this will be attached to.
  explicit ServerNames(const ssl_ctx_st& own);
  void add(const std::shared_ptr<ssl_ctx_st>& context);
  // Null: it is for the own context, or none is. Any case.
  [[nodiscard]] ssl_ctx_st* find(std::string_view name) const;

  // From now on a handshake begun with `own` goes on with the context that find() has for the name
  // that the client asks for, if any. `names` lives as long as `own`.
  static void attach(ssl_ctx_st& own, std::unique_ptr<ServerNames> names);

 private:
  std::unordered_map<std::string, std::shared_ptr<ssl_ctx_st>>
      by_name_;  // lower case; null: the own
};

}  // namespace godwit::net
