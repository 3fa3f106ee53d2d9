#pragma once

namespace godwit::net {

// Gives the largest objects of a TLS session (OpenSSL's SSL, its two ciphers, its SSL_SESSION, its CERT)
// memory of nearly their size. The allocator's own sizes are up to a quarter above: of 10,000 idle sessions
// that is 9 MiB. Everything else of OpenSSL stays malloc's.
//
// To be called first of all: once OpenSSL has allocated anything it keeps what it has. Returns whether it took;
// nothing depends on that but memory. Under sanitizers it does not: they watch what malloc gives.
bool install_tls_memory();

}  // namespace godwit::net
