#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "common/base/result.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace godwit::admin {

// Files of a server, PEM; without a certificate it does not speak TLS.
struct ServerTls {
  std::filesystem::path certificate;  // the chain, its own first
  std::filesystem::path key;
  std::filesystem::path client_ca;      // empty: clients are not asked for certificates
  std::chrono::seconds look_every{60};  // for files that have changed

  [[nodiscard]] bool enabled() const { return !certificate.empty(); }
};

// Files of a client, PEM; without a CA it does not speak TLS.
struct ClientTls {
  std::filesystem::path ca;           // who issued the server's certificate
  std::filesystem::path certificate;  // of its own, to show; empty: none
  std::filesystem::path key;
  std::string server_name;  // in the server's certificate; empty: what is connected to

  [[nodiscard]] bool enabled() const { return !ca.empty(); }
};

// Whether the files can be used. Errors: kFile (one cannot be read, is no PEM, or the key is of another certificate; a
// certificate to show without a CA to verify the server with).
[[nodiscard]] Result<void> check_files(const ServerTls& tls);
[[nodiscard]] Result<void> check_files(const ClientTls& tls);

// What a port is opened with. A client may show a certificate or none; one that client_ca did not issue, or that has
// expired, ends the handshake.
//
// Files are read again every `look_every`: a certificate that was renewed is used for the next connection. One that cannot
// be read then is not used; a key of another certificate, however, makes handshakes fail until the two fit again: they
// have to be replaced at once, as Kubernetes does with mounted secrets.
// Errors  those of check_files()
[[nodiscard]] Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(
    const ServerTls& tls);

// Errors  those of check_files()
[[nodiscard]] Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(
    const ClientTls& tls);

}  // namespace godwit::admin
