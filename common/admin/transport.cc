#include "common/admin/transport.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <fstream>
#include <iterator>
#include <string>

#include "common/admin/errc.h"
#include "common/net/tls.h"

namespace godwit::admin {
namespace {

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) return fail(Errc::kFile, path.string() + ": cannot be read");
  return text;
}

// gRPC takes anything and refuses every handshake later.
Result<void> check_pair(const std::filesystem::path& certificate,
                        const std::filesystem::path& key) {
  const auto loaded =
      net::TlsServerContext::load({.certificate = certificate.string(), .key = key.string()});
  if (!loaded) return fail(Errc::kFile, loaded.error().context);
  return {};
}

Result<void> check_authority(const std::filesystem::path& ca) {
  const auto loaded = net::TlsClientContext::create({.ca_file = ca.string()});
  if (!loaded) return fail(Errc::kFile, loaded.error().context);
  return {};
}

}  // namespace

Result<void> check_files(const ServerTls& tls) {
  if (!tls.enabled()) return {};
  TRY_VOID(check_pair(tls.certificate, tls.key));
  return tls.client_ca.empty() ? Result<void>{} : check_authority(tls.client_ca);
}

Result<void> check_files(const ClientTls& tls) {
  if (tls.enabled()) {
    TRY_VOID(check_authority(tls.ca));
    return tls.certificate.empty() ? Result<void>{} : check_pair(tls.certificate, tls.key);
  }
  if (tls.certificate.empty()) return {};
  return fail(Errc::kFile, tls.certificate.string() + ": needs a CA to verify the server with");
}

Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const ServerTls& tls) {
  TRY_VOID(check_files(tls));
  if (!tls.enabled()) return grpc::InsecureServerCredentials();
  namespace tls_of = grpc::experimental;
  const auto files = std::make_shared<tls_of::FileWatcherCertificateProvider>(
      tls.key.string(), tls.certificate.string(), tls.client_ca.string(),
      static_cast<unsigned>(tls.look_every.count()));
  tls_of::TlsServerCredentialsOptions options(files);
  options.watch_identity_key_cert_pairs();
  if (!tls.client_ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return tls_of::TlsServerCredentials(options);
}

Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(const ClientTls& tls) {
  TRY_VOID(check_files(tls));
  if (!tls.enabled()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  TRY(options.pem_root_certs, read_file(tls.ca));
  if (!tls.certificate.empty()) {
    TRY(options.pem_cert_chain, read_file(tls.certificate));
    TRY(options.pem_private_key, read_file(tls.key));
  }
  return grpc::SslCredentials(options);
}

}  // namespace godwit::admin
