#include "common/net/server_names.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/check.h"

namespace godwit::net {
namespace {

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string lower_case(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
  return lower;
}

std::string_view text_of(const ASN1_STRING& text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&text)),
          static_cast<std::size_t>(ASN1_STRING_length(&text))};
}

std::vector<std::string> names_of(X509& certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, FreeNames> alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) names.push_back(lower_case(text_of(*name->d.dNSName)));
  }
  if (!names.empty()) return names;
  X509_NAME* const subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    const ASN1_STRING* const name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    names.push_back(lower_case(text_of(*name)));
  }
  return names;
}

void free_names(void* /*parent*/, void* names, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                long /*number*/, void* /*pointer*/) {
  delete static_cast<ServerNames*>(names);
}

int names_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_names);
  return index;
}

int on_server_name(SSL* ssl, int* /*alert*/, void* names) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  SSL_CTX* const context =
      name == nullptr ? nullptr : static_cast<const ServerNames*>(names)->find(name);
  if (context == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(ssl, context);  // its certificate and key; ticket keys stay those of the first
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

ServerNames::ServerNames(const SSL_CTX& own) {
  for (std::string& name : names_of(*SSL_CTX_get0_certificate(&own)))
    by_name_.try_emplace(std::move(name), nullptr);
}

void ServerNames::add(const std::shared_ptr<SSL_CTX>& context) {
  for (std::string& name : names_of(*SSL_CTX_get0_certificate(context.get())))
    by_name_.try_emplace(std::move(name), context);
}

SSL_CTX* ServerNames::find(std::string_view name) const {
  const std::string lower = lower_case(name);
  if (const auto found = by_name_.find(lower); found != by_name_.end()) return found->second.get();
  const std::size_t dot = lower.find('.');
  if (dot == std::string::npos || dot == 0) return nullptr;
  const auto found = by_name_.find("*" + lower.substr(dot));
  return found != by_name_.end() ? found->second.get() : nullptr;
}

void ServerNames::attach(SSL_CTX& own, std::unique_ptr<ServerNames> names) {
  SSL_CTX_set_tlsext_servername_callback(&own, on_server_name);
  SSL_CTX_set_tlsext_servername_arg(&own, names.get());
  CHECK(SSL_CTX_set_ex_data(&own, names_index(), names.get()) == 1, "out of memory");
  (void)names.release();  // free_names has it
}

}  // namespace godwit::net
