#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/async/stop_signal.h"
#include "common/async/task.h"
#include "common/net/address.h"

namespace godwit::net {

// What the DNS said. Only kNxDomain is a lasting "no such domain"; what is below kNoData is about
// the way to the answer, and a delivery that meets it waits.
enum class DnsOutcome : std::uint8_t {
  kFound,
  kNxDomain,  // the name does not exist
  kNoData,    // the name exists, without records of this type
  kServFail,  // servers answer, but not the question; or the question could not be asked
  kTimeout,   // no answer in time
  kBogus,     // an answer whose signatures are wrong: must not be used
  kStopped,   // who asked was told to stop before the answer came
};

// One answer. `records` is empty unless kFound.
template <class Record>
struct DnsAnswer {
  DnsOutcome outcome = DnsOutcome::kServFail;
  std::vector<Record> records{};
  // DNSSEC proved the answer (kNxDomain and kNoData too). False: no signatures, or no trust anchor
  // here.
  bool secure = false;
  std::chrono::seconds ttl{0};
  std::string canonical{};  // where CNAMEs led; the name asked for when there were none
  std::string why{};        // for people: what failed

  [[nodiscard]] bool found() const { return outcome == DnsOutcome::kFound; }
  // The same question may have another answer soon.
  [[nodiscard]] bool temporary() const { return outcome >= DnsOutcome::kServFail; }
};

struct MxRecord {
  std::uint16_t preference = 0;
  std::string host;  // lower case, no final dot; empty: the root, "null MX" (RFC 7505) when alone
  auto operator<=>(const MxRecord&) const = default;
};

// RFC 6698 s2.1.
struct TlsaRecord {
  std::uint8_t usage = 0;
  std::uint8_t selector = 0;
  std::uint8_t matching = 0;
  std::string data;  // octets
  auto operator<=>(const TlsaRecord&) const = default;
};

// Asks the DNS. Names are A-labels ("xn--..."), with or without final dot, in any case. A name that
// no DNS message can carry (empty label, over 63 or 255 octets) is kNxDomain.
//
// Bounds   each implementation states how many questions may be under way; above that kServFail at
//          once. Time: about 20 s at most a question, then kTimeout.
// Threads  any shard; the task resumes on its own.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // Sorted by preference, then host (shuffling equals is the caller's: RFC 5321 s5.1).
  [[nodiscard]] virtual async::Task<DnsAnswer<MxRecord>> mx(std::string domain) = 0;
  [[nodiscard]] virtual async::Task<DnsAnswer<IpAddress>> addresses(std::string host,
                                                                    Family family) = 0;
  // Each record's strings are joined (RFC 7208 s3.3).
  [[nodiscard]] virtual async::Task<DnsAnswer<std::string>> txt(std::string name) = 0;
  [[nodiscard]] virtual async::Task<DnsAnswer<TlsaRecord>> tlsa(std::string name) = 0;

  // The same, for those who may be told to stop: a question that the signal overtakes is kStopped at
  // once. The signal is the asking shard's and outlives the task. A resolver that does not override
  // these answers as above, in its own time.
  [[nodiscard]] virtual async::Task<DnsAnswer<MxRecord>> mx_until(std::string domain,
                                                                  async::StopSignal& /*stop*/) {
    return mx(std::move(domain));
  }
  [[nodiscard]] virtual async::Task<DnsAnswer<IpAddress>> addresses_until(
      std::string host, Family family, async::StopSignal& /*stop*/) {
    return addresses(std::move(host), family);
  }
  [[nodiscard]] virtual async::Task<DnsAnswer<std::string>> txt_until(std::string name,
                                                                      async::StopSignal& /*stop*/) {
    return txt(std::move(name));
  }
  [[nodiscard]] virtual async::Task<DnsAnswer<TlsaRecord>> tlsa_until(std::string name,
                                                                      async::StopSignal& /*stop*/) {
    return tlsa(std::move(name));
  }
};

}  // namespace godwit::net
