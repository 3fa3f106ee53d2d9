#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/bench/ledger.h"
#include "cli/bench/script.h"
#include "common/base/result.h"
#include "common/net/address.h"
#include "common/net/tls.h"

namespace godwit::cli::bench {

enum class TlsMode : std::uint8_t { kNone, kStartTls, kImplicit };

struct SinkOptions {
  net::Address listen{net::IpAddress::loopback(), 0};
  std::size_t threads = 0;  // 0: one a CPU
  std::string hostname = "sink.example.test";
  TlsMode tls = TlsMode::kNone;
  net::TlsServerFiles tls_files;  // empty: a self-signed certificate for `hostname`
  std::unique_ptr<Script> script = std::make_unique<Script>();
  std::string ledger_file;  // empty: none
  std::uint64_t seed = 0;   // of the script's chances; 0: different each time
};

struct SinkCounters {
  std::uint64_t connections = 0;
  std::uint64_t tls_connections = 0;
  std::uint64_t messages_accepted = 0;
  std::uint64_t messages_refused = 0;     // at the dot
  std::uint64_t messages_dropped = 0;     // at the dot, without a reply
  std::uint64_t recipients_accepted = 0;  // of accepted messages
  std::uint64_t recipients_refused = 0;
  std::uint64_t bytes = 0;                // of content of accepted messages
  std::uint64_t connections_dropped = 0;  // by the script, anywhere
};

// A scripted SMTP destination on threads of its own: `godwit bench sink`.
// Lifecycle  start() serves at once; stop() ends sessions where they are and joins; the destructor calls it.
// Threads    any.
class Sink {
 public:
  // Errors: the address, the certificate or the ledger cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<Sink>> start(SinkOptions options);
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  [[nodiscard]] const net::Address& address() const;
  // PEM of the certificate, so that a test can trust it; empty without TLS.
  [[nodiscard]] std::string certificate_pem() const;
  [[nodiscard]] SinkCounters counters() const;
  // Fails when a line of the ledger could not be written.
  [[nodiscard]] Result<void> stop();

 private:
  struct Impl;
  explicit Sink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::cli::bench
