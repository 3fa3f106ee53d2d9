#include "ingress/authenticator.h"

#include <optional>
#include <string>
#include <string_view>

#include "common/control/password.h"

namespace godwit::ingress {

Authenticator::Authenticator(const control::View& control, const Clock& clock,
                             const BudgetConfig& limits, IngressMetrics& metrics)
    : control_(control),
      clock_(clock),
      metrics_(metrics),
      limits_(limits),
      verified_(limits.login_cache_ttl),
      hashing_("login", limits.password_hashes_max, kWaitingMax) {}

Authenticator::Outcome Authenticator::barred(const net::IpAddress& address,
                                             std::string_view account) const {
  switch (limits_.verdict(address, account, clock_.instant())) {
    case LoginLimits::Verdict::kAddressBlocked: return Outcome::kAddressBlocked;
    case LoginLimits::Verdict::kAccountBlocked: return Outcome::kAccountBlocked;
    case LoginLimits::Verdict::kMayTry: break;
  }
  return Outcome::kRight;
}

// Without a slow hash.
bool Authenticator::quickly_right(const LoginCache::Login& login) const {
  if (login.stored.empty()) return false;
  if (control::is_password_hash(login.stored)) return verified_.holds(login, clock_.instant());
  return control::verify_password(login.stored, login.password);
}

// On a thread of the pool, perhaps after a wait in its queue.
Authenticator::Outcome Authenticator::decide(const LoginCache::Login& login,
                                             const net::IpAddress& address) {
  // Many guesses at once must not all pass before the first of them is counted.
  if (const Outcome outcome = barred(address, login.username); outcome != Outcome::kRight)
    return outcome;
  // Many sessions of one client begin together: the first of them pays for all.
  if (quickly_right(login)) return Outcome::kRight;
  metrics_.password_hashed();
  if (!control::is_password_hash(login.stored)) {
    // Where no hash is computed a failure would come faster than with one, and tell that.
    control::waste_password_time(login.password);
  } else if (control::verify_password(login.stored, login.password)) {
    verified_.remember(login, clock_.instant());
    return Outcome::kRight;
  }
  limits_.failed(address, login.username, clock_.instant());
  return Outcome::kWrong;
}

async::Task<smtp::Reply> Authenticator::check(smtp::Credentials credentials,
                                              net::IpAddress address) {
  const auto snapshot = control_.current();
  const auto account = snapshot->account(credentials.username);
  const LoginCache::Login login{
      .username = credentials.username,
      .password = credentials.password,
      .stored = account ? std::string_view(account->credential->password) : std::string_view{}};
  // RFC 4616 s2: acting for somebody else is nothing we offer.
  const bool as_oneself =
      credentials.authorization.empty() || credentials.authorization == credentials.username;

  std::optional<Outcome> outcome = barred(address, login.username);
  if (*outcome == Outcome::kRight && !quickly_right(login)) {
    const auto decided = co_await hashing_.run([&] { return decide(login, address); });
    outcome = decided ? std::optional(*decided) : std::nullopt;
  }
  if (outcome == Outcome::kRight && !as_oneself) {
    limits_.failed(address, login.username, clock_.instant());
    outcome = Outcome::kWrong;
  }
  if (outcome == Outcome::kRight) limits_.succeeded(login.username);
  smtp::wipe(credentials);

  if (!outcome) co_return smtp::Reply::of(454, {4, 7, 0}, "Temporary authentication failure");
  switch (*outcome) {
    case Outcome::kRight: co_return smtp::Reply::of(235, {2, 7, 0}, "Authentication successful");
    case Outcome::kWrong:
      co_return smtp::Reply::of(535, {5, 7, 8}, "Authentication credentials invalid");
    case Outcome::kAddressBlocked:
      co_return smtp::Reply::of(421, {4, 7, 0}, "Too many authentication failures, try later");
    case Outcome::kAccountBlocked: break;
  }
  co_return smtp::Reply::of(454, {4, 7, 0}, "Temporary authentication failure");
}

}  // namespace godwit::ingress
