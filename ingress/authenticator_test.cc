#include "ingress/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/async/test_loop.h"
#include "common/base/manual_clock.h"
#include "common/control/fake_view.h"
#include "common/observe/metrics.h"
#include "ingress/test_password_hash.h"

using namespace std::chrono_literals;

namespace godwit::ingress {
namespace {

using testing::HasSubstr;

const net::IpAddress kClient = *net::IpAddress::from_text("192.0.2.1");
constexpr int kAccepted = 235;
constexpr int kInvalid = 535;
constexpr int kTemporary = 454;
constexpr int kClosed = 421;

control::Snapshot account(const std::string& stored) {
  control::Snapshot snapshot;
  snapshot.tenants["acme"] = {.name = TenantName("acme"), .credentials = {{"ann", stored}}};
  return snapshot;
}

class AuthenticatorTest : public testing::Test {
 protected:
  // One thread: what was submitted together is decided one after the other.
  AuthenticatorTest() { limits.password_hashes_max = 1; }

  Authenticator& authenticator() {
    if (!authenticator_)
      authenticator_ = std::make_unique<Authenticator>(control, clock, limits, counters);
    return *authenticator_;
  }
  int login(const std::string& username, const std::string& password,
            const net::IpAddress& from = kClient, const std::string& as = {}) {
    return loop
        .run(authenticator().check(
            {.authorization = as, .username = username, .password = password}, from))
        .code;
  }
  // All of them at once; the codes in ascending order.
  std::vector<int> logins(std::size_t count, const std::string& username,
                          const std::string& password) {
    std::vector<int> codes;
    for (std::size_t i = 0; i < count; ++i) loop.spawn(collect(username, password, codes));
    loop.drive([&] { return codes.size() == count; });
    std::ranges::sort(codes);
    return codes;
  }
  async::Task<void> collect(std::string username, std::string password, std::vector<int>& codes) {
    const smtp::Reply reply = co_await authenticator().check(
        {.authorization = {}, .username = std::move(username), .password = std::move(password)},
        kClient);
    codes.push_back(reply.code);
  }
  void expect_hashes(int count) const {
    EXPECT_THAT(metrics.text(),
                HasSubstr("godwit_ingress_password_hashes_total " + std::to_string(count) + "\n"));
  }

  control::FakeView control{account(password_hash("secret"))};
  ManualClock clock;
  BudgetConfig limits;
  observe::Metrics metrics;
  IngressMetrics counters{metrics};
  async::TestLoop loop;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, AVerifiedLoginNeedsNoHashForAWhile) {
  EXPECT_EQ(login("ann", "secret"), kAccepted);
  EXPECT_EQ(login("ann", "secret"), kAccepted);
  expect_hashes(1);
  clock.advance(limits.login_cache_ttl);
  EXPECT_EQ(login("ann", "secret"), kAccepted);
  expect_hashes(2);
}

TEST_F(AuthenticatorTest, AFailureCostsAHashEachTime) {
  EXPECT_EQ(login("ann", "secret"), kAccepted);
  EXPECT_EQ(login("ann", "wrong"), kInvalid);
  EXPECT_EQ(login("ann", "wrong"), kInvalid);
  EXPECT_EQ(login("nobody", "secret"), kInvalid);
  EXPECT_EQ(login("ann", ""), kInvalid);
  expect_hashes(5);
}

TEST_F(AuthenticatorTest, AChangedPasswordHoldsAtOnce) {
  EXPECT_EQ(login("ann", "secret"), kAccepted);
  control.set(account(password_hash("other")));
  EXPECT_EQ(login("ann", "secret"), kInvalid);
  EXPECT_EQ(login("ann", "other"), kAccepted);
  control.set(account(""));  // no password: nobody gets in
  EXPECT_EQ(login("ann", "other"), kInvalid);
  EXPECT_EQ(login("ann", ""), kInvalid);
}

TEST_F(AuthenticatorTest, PlainTextCostsAHashOnlyWhenItIsWrong) {
  control.set(account("trial"));
  EXPECT_EQ(login("ann", "trial"), kAccepted);
  expect_hashes(0);
  EXPECT_EQ(login("ann", "trial "), kInvalid);
  expect_hashes(1);
}

TEST_F(AuthenticatorTest, ActingForSomebodyElseIsAFailure) {
  EXPECT_EQ(login("ann", "secret", kClient, "ann"), kAccepted);
  limits.auth_failures_per_account_max = 1;
  authenticator_.reset();
  EXPECT_EQ(login("ann", "secret", kClient, "bob"), kInvalid);
  EXPECT_EQ(login("ann", "secret"), kTemporary);
}

TEST_F(AuthenticatorTest, SessionsThatBeginTogetherShareOneHash) {
  EXPECT_EQ(logins(8, "ann", "secret"), std::vector<int>(8, kAccepted));
  expect_hashes(1);
}

TEST_F(AuthenticatorTest, GuessesAtOnceDoNotPassTheLimitTogether) {
  limits.auth_failures_per_account_max = 3;
  const std::vector<int> codes = logins(8, "ann", "wrong");
  EXPECT_THAT(codes, testing::ElementsAre(kTemporary, kTemporary, kTemporary, kTemporary,
                                          kTemporary, kInvalid, kInvalid, kInvalid));
  expect_hashes(3);
}

TEST_F(AuthenticatorTest, ABlockedAccountStaysBlockedForTheRightPasswordToo) {
  limits.auth_failures_per_account_max = 2;
  EXPECT_EQ(login("ann", "secret"), kAccepted);
  EXPECT_EQ(login("ann", "wrong"), kInvalid);
  EXPECT_EQ(login("ann", "wrong"), kInvalid);
  // Else what was verified lately would answer guesses without end, and without a hash.
  EXPECT_EQ(login("ann", "secret"), kTemporary);
  clock.advance(limits.auth_failure_window);
  EXPECT_EQ(login("ann", "secret"), kAccepted);
}

TEST_F(AuthenticatorTest, AnIpv6ClientCountsByItsNetwork) {
  limits.auth_failures_per_address_max = 2;
  limits.auth_failures_per_account_max = 100;
  EXPECT_EQ(login("ann", "wrong", *net::IpAddress::from_text("2001:db8:0:1::1")), kInvalid);
  EXPECT_EQ(login("bob", "wrong", *net::IpAddress::from_text("2001:db8:0:1:ffff::2")), kInvalid);
  EXPECT_EQ(login("ann", "secret", *net::IpAddress::from_text("2001:db8:0:1::3")), kClosed);
  EXPECT_EQ(login("ann", "secret", *net::IpAddress::from_text("2001:db8:0:2::1")), kAccepted);
}

TEST_F(AuthenticatorTest, AStoppedPoolIsATemporaryFailure) {
  authenticator().stop();
  EXPECT_EQ(login("ann", "secret"), kTemporary);
}

}  // namespace
}  // namespace godwit::ingress
