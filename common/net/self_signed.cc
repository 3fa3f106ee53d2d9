// Certificates made here, for trials, tests and the bench's sink.
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "common/net/errc.h"
#include "common/net/tls_impl.h"

namespace godwit::net {
namespace {

bool add_extension(X509& certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &certificate, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(&certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

}  // namespace

Result<X509Ptr> self_sign(EVP_PKEY& key, const std::string& host) {
  constexpr long kSecondsValid = 365L * 24 * 3600;
  X509Ptr certificate(X509_new());
  X509* const x509 = certificate.get();
  X509_set_version(x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), static_cast<long>(std::time(nullptr)));
  X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509), kSecondsValid);
  X509_set_pubkey(x509, &key);
  X509_NAME* const name = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(host.data()),
                             static_cast<int>(host.size()), -1, 0);
  X509_set_issuer_name(x509, name);
  if (!add_extension(*x509, NID_basic_constraints, "critical,CA:TRUE") ||
      !add_extension(*x509, NID_subject_alt_name, "DNS:" + host) ||
      X509_sign(x509, &key, EVP_sha256()) == 0) {
    return fail(Errc::kInvalid, "a certificate for " + host + ": " + take_openssl_error());
  }
  return certificate;
}

}  // namespace godwit::net
