#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench/histogram.h"
#include "cli/bench/sink.h"
#include "common/base/result.h"
#include "common/net/address.h"

namespace godwit::cli::bench {

// How much is sent before an answer is waited for.
enum class Pipelining : std::uint8_t {
  kNone,      // every command waits
  kEnvelope,  // MAIL, RCPT and DATA together
  kAhead,     // and the next message's behind the final dot
};

struct SourceOptions {
  net::Address to;
  std::optional<net::IpAddress> from_address;  // local address of the connections
  std::size_t threads = 0;                     // 0: one a CPU
  std::size_t connections = 10;
  // The end: after so many messages, or so much time, or stop(). 0: no such end.
  std::uint64_t messages = 0;
  std::chrono::milliseconds duration{0};
  std::uint64_t messages_per_connection = 0;  // 0: no limit
  std::size_t recipients = 1;                 // of each message
  std::uint64_t bytes = 5120;  // of content: header and body, before dots are doubled
  std::uint64_t rate = 0;      // messages a second, all connections together; 0: as fast as it goes
  std::string sender = "bench@source.example.test";
  // Above 0: the senders are as many, at d0, d1 ... below the sender's domain. The next one's turn comes when each
  // recipient domain had a message.
  std::size_t sender_count = 0;
  // Recipients are "r<number>-<index>@<domain>", domains in turn.
  std::vector<std::string> domains{"sink.example.test"};
  std::string helo = "source.example.test";
  Pipelining pipelining = Pipelining::kNone;
  TlsMode tls = TlsMode::kNone;
  std::string username;  // empty: no AUTH
  std::string password;
  std::chrono::milliseconds reply_timeout{std::chrono::minutes(5)};
  // How long in a row no connection may succeed before the run gives up; a server that is restarted is waited for.
  std::chrono::milliseconds patience{std::chrono::seconds(30)};
  std::string ledger_file;  // one line for each acknowledged message; empty: none
  bool ledger_all = false;  // and one for each other message that was begun
};

struct SourceReport {
  std::uint64_t accepted = 0;  // acknowledged with 2xx
  std::uint64_t refused = 0;   // 4xx or 5xx to MAIL, every RCPT, DATA or the dot
  std::uint64_t unknown = 0;   // the connection ended between the dot and its reply
  std::uint64_t cut = 0;       // the connection ended before the dot: certainly not taken
  std::uint64_t recipients_accepted = 0;
  std::uint64_t recipients_refused = 0;
  std::uint64_t bytes = 0;  // of content of accepted messages
  std::uint64_t connections = 0;
  std::uint64_t connections_failed = 0;
  std::map<std::string, std::uint64_t>
      refusals;  // by stage and code, "dot 451"; errors of connections by their text
  std::chrono::microseconds elapsed{0};  // from the first connection to the last reply
  std::chrono::microseconds cpu_user{0};
  std::chrono::microseconds cpu_system{0};
  bool gave_up = false;  // nobody answered
  Histogram connect;     // TCP (and TLS) to the banner
  Histogram mail;        // MAIL, or the envelope when pipelined, to its first reply
  Histogram rcpt;        // RCPT to its reply, when not pipelined
  Histogram data;        // DATA to 354, when not pipelined
  Histogram dot;         // the final dot to its reply

  [[nodiscard]] double messages_per_second() const;
};

// A load generator: many connections to one server, on several threads.
// Lifecycle  run() blocks until the end; stop(), from any thread or signal-waiting one, lets messages under way end
//            (bounded by 5 s) and starts no new ones.
class Source {
 public:
  // Errors: the ledger cannot be opened; an option contradicts another.
  [[nodiscard]] static Result<std::unique_ptr<Source>> create(SourceOptions options);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] Result<SourceReport> run();
  void stop();

 private:
  struct Impl;
  explicit Source(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::cli::bench
