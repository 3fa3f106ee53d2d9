#include "common/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "common/base/check.h"
#include "common/net/errc.h"
#include "common/net/tls_impl.h"

namespace godwit::net {
namespace {

// Forward secrecy first; static RSA last, for peers that have nothing else. RFC 9325 s4.2 but for
// that.
constexpr const char* kCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:"
    "!aNULL:!eNULL:!MD5:!DSS:!PSK:!SRP";

int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_result(BIO* bio, ssize_t result, std::size_t* done, int retry_flag) {
  BIO_clear_retry_flags(bio);
  *done = result > 0 ? static_cast<std::size_t>(result) : 0;
  if (result > 0) return 1;
  if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
    BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    return -1;
  }
  if (result == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return result == 0 ? 0 : -1;
}

int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* done) {
  return bio_result(bio, ::send(socket_of(bio), data, size, MSG_NOSIGNAL), done, BIO_FLAGS_WRITE);
}

int bio_read(BIO* bio, char* data, std::size_t size, std::size_t* done) {
  return bio_result(bio, ::recv(socket_of(bio), data, size, 0), done, BIO_FLAGS_READ);
}

long bio_ctrl(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default: return 0;
  }
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "godwit socket");
    CHECK(made != nullptr);
    BIO_meth_set_write_ex(made, bio_write);
    BIO_meth_set_read_ex(made, bio_read);
    BIO_meth_set_ctrl(made, bio_ctrl);
    return made;
  }();
  return method;
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "";
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

std::shared_ptr<SSL_CTX> new_context(const SSL_METHOD* method) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
  CHECK(context != nullptr, "SSL_CTX_new: {}", take_openssl_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  CHECK(SSL_CTX_set_cipher_list(context.get(), kCiphers) == 1, "no cipher");
  // SSL_OP_IGNORE_UNEXPECTED_EOF: many mail hosts just close. SMTP has an end of its own for
  // everything that matters (the dot, the chunk's length), so a cut cannot pass for an end.
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);  // one recv for a record's head and body
  return context;
}

SslPtr new_ssl(SSL_CTX& context, int socket) {
  SslPtr ssl(SSL_new(&context));
  BIO* bio = BIO_new(socket_method());
  CHECK(ssl != nullptr && bio != nullptr, "out of memory");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  return ssl;
}

}  // namespace godwit::net
