#include "ingress/authenticator.h"

#include <utility>

#include "common/control/password.h"

namespace godwit::ingress {
namespace {

// On a thread of the pool. Empty `stored`: no such user.
bool verify(const std::string& stored, const std::string& presented) {
  const bool right = !stored.empty() && control::verify_password(stored, presented);
  // Where no hash was computed a failure would come faster than with one, and tell that.
  if (!right && !control::is_password_hash(stored)) control::waste_password_time(presented);
  return right;
}

}  // namespace

async::Task<smtp::Reply> Authenticator::check(smtp::Credentials credentials,
                                              net::IpAddress address) {
  const std::string address_text = address.to_text();
  if (addresses_.blocked(address_text, clock_.instant())) {
    smtp::wipe(credentials);
    co_return smtp::Reply::of(421, {4, 7, 0}, "Too many authentication failures, try later");
  }
  if (accounts_.blocked(credentials.username, clock_.instant())) {
    smtp::wipe(credentials);
    co_return smtp::Reply::of(454, {4, 7, 0}, "Temporary authentication failure");
  }
  std::string stored;
  const auto snapshot = control_.current();
  if (const auto account = snapshot->account(credentials.username)) {
    stored = account->credential->password;
  }
  const std::string username = credentials.username;
  // RFC 4616 s2: acting for somebody else is nothing we offer.
  const bool as_oneself =
      credentials.authorization.empty() || credentials.authorization == username;
  const Result<bool> right =
      co_await pool_.run([&] { return verify(stored, credentials.password); });
  smtp::wipe(credentials);
  if (!right) co_return smtp::Reply::of(454, {4, 7, 0}, "Temporary authentication failure");
  if (!*right || !as_oneself) {
    addresses_.failed(address_text, clock_.instant());
    accounts_.failed(username, clock_.instant());
    co_return smtp::Reply::of(535, {5, 7, 8}, "Authentication credentials invalid");
  }
  accounts_.succeeded(username);
  co_return smtp::Reply::of(235, {2, 7, 0}, "Authentication successful");
}

}  // namespace godwit::ingress
