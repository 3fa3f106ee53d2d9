#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

// TLS 1.2 and 1.3 by OpenSSL 3. Streams (stream.h) do the talking; contexts hold what many streams
// share.
namespace godwit::net {

// What was agreed with the peer, for Received lines, events and policy.
struct TlsInfo {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
  int cipher_bits = 0;
  bool resumed = false;
  std::string server_name;  // SNI: asked for by the client
  // Client side: does the chain lead to a trusted root and the certificate name the host? Known
  // whether it was required or not. On a resumed session: what was found when the session began.
  bool verified = false;
  std::string verify_error;  // why not, when not
  std::string
      peer_subject;  // subject of the peer's certificate, at most 256 octets; empty: none sent
};

struct TlsServerFiles {
  std::string certificate;  // PEM: the chain, the server's own first
  std::string key;          // PEM
};

// Server side: certificates, keys and ticket keys of one listener (or of all).
//
// A client that asks for a server name (SNI) gets the certificate that has it among its DNS names,
// the first of `files` and `others`, or else one that has it by a wildcard; any other client gets
// `files`.
//
// reload() reads the files again and swaps at once: later handshakes use the new certificate,
// sessions under way keep what they have, tickets stay valid. When the files are bad nothing
// changes.
// Threads  any.
class TlsServerContext {
 public:
  // Errors: kInvalid, the context names the file and what is wrong (missing, no PEM, key of another
  // certificate).
  [[nodiscard]] static Result<std::shared_ptr<TlsServerContext>> load(
      TlsServerFiles files, std::vector<TlsServerFiles> others = {});
  // A fresh self-signed certificate (ECDSA P-256) for `host`, in memory: for trials, tests and
  // bench sink.
  [[nodiscard]] static Result<std::shared_ptr<TlsServerContext>> self_signed(
      const std::string& host);
  ~TlsServerContext();
  TlsServerContext(const TlsServerContext&) = delete;
  TlsServerContext& operator=(const TlsServerContext&) = delete;

  [[nodiscard]] Result<void> reload();
  // When the certificate of `files` ends, unix seconds; for metrics and warnings.
  [[nodiscard]] std::int64_t not_after() const;
  // PEM of the server's own certificate, so that a test can trust it.
  [[nodiscard]] std::string certificate_pem() const;

 private:
  friend class Stream;
  struct Impl;
  explicit TlsServerContext(std::unique_ptr<Impl> impl);
  [[nodiscard]] std::shared_ptr<ssl_ctx_st> current() const;
  std::unique_ptr<Impl> impl_;
};

struct TlsClientOptions {
  std::string ca_file;                // PEM of trusted roots; empty: the system's
  std::size_t sessions_max = 10'000;  // remembered for resumption, least recently used go first
};

// What the handshake must achieve.
enum class TlsTrust : std::uint8_t {
  kAny,       // opportunistic: any certificate will do; TlsInfo::verified still tells
  kVerified,  // chain and host name, or kTlsUntrusted
};

struct TlsPeer {
  std::string host;  // for SNI and verification; an address literal sends no SNI
  TlsTrust trust = TlsTrust::kAny;
  // Sessions are resumed only within one realm (host, trust and this text): e.g. the source
  // address.
  std::string realm{};
};

// Client side: trusted roots and the sessions that may be resumed.
// Threads  any; resumption takes one short lock a connection.
class TlsClientContext {
 public:
  [[nodiscard]] static Result<std::shared_ptr<TlsClientContext>> create(
      TlsClientOptions options = {});
  ~TlsClientContext();
  TlsClientContext(const TlsClientContext&) = delete;
  TlsClientContext& operator=(const TlsClientContext&) = delete;

  [[nodiscard]] std::size_t sessions() const;

 private:
  friend class Stream;
  friend struct TlsClientSessionSlot;
  struct Impl;
  explicit TlsClientContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace godwit::net
