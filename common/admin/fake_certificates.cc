#include "common/admin/fake_certificates.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <utility>

#include "common/base/check.h"

namespace godwit::admin {
namespace {

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

void add_to_name(X509_NAME* name, const char* field, const std::string& value) {
  if (value.empty()) return;
  CHECK(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.data()),
                                   static_cast<int>(value.size()), -1, 0) == 1);
}

void add_extension(X509& certificate, X509& issuer, int kind, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  CHECK(extension != nullptr, "not an extension: {}", value);
  CHECK(X509_add_ext(&certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

template <class Write>
void write_file(const std::filesystem::path& path, Write write) {
  const std::unique_ptr<std::FILE, Free> file(std::fopen(path.c_str(), "w"));
  CHECK(file != nullptr, "{}", path.string());
  CHECK(write(file.get()) == 1, "{}", path.string());
}

}  // namespace

struct FakeAuthority::State {
  std::filesystem::path directory;
  std::string name;
  Key key;
  Certificate certificate;
  int issued = 0;

  // Signed by this authority; by itself when there is no certificate yet.
  Certificate make(const Wanted& wanted, EVP_PKEY& of) {
    Certificate made(X509_new());
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++issued);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -7200);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), static_cast<long>(wanted.ends_in.count()));
    X509_set_pubkey(made.get(), &of);
    X509_NAME* const subject = X509_get_subject_name(made.get());
    add_to_name(subject, "O", wanted.organization);
    add_to_name(subject, "CN", wanted.common_name);
    X509& issuer = certificate ? *certificate : *made;
    X509_set_issuer_name(made.get(), X509_get_subject_name(&issuer));
    if (!certificate) add_extension(*made, issuer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(*made, issuer, NID_subject_alt_name, wanted.names);
    CHECK(X509_sign(made.get(), key.get(), EVP_sha256()) != 0);
    return made;
  }
};

FakeAuthority::FakeAuthority(std::filesystem::path directory, std::string name)
    : state_(std::make_unique<State>()) {
  state_->directory = std::move(directory);
  state_->name = std::move(name);
  state_->key.reset(EVP_EC_gen("P-256"));
  state_->certificate = state_->make({.common_name = state_->name}, *state_->key);
  write_file(certificate(),
             [&](std::FILE* file) { return PEM_write_X509(file, state_->certificate.get()); });
}

FakeAuthority::~FakeAuthority() = default;

FakeAuthority::Files FakeAuthority::issue(const Wanted& wanted) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate made = state_->make(wanted, *key);
  const std::string stem = fmt::format("{}-{}", state_->name, state_->issued);
  Files files{state_->directory / (stem + ".crt"), state_->directory / (stem + ".key")};
  write_file(files.certificate, [&](std::FILE* file) { return PEM_write_X509(file, made.get()); });
  write_file(files.key, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

std::filesystem::path FakeAuthority::certificate() const {
  return state_->directory / (state_->name + ".crt");
}

}  // namespace godwit::admin
