// The role as a whole: real sockets on loopback, the log's fake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "common/async/blocking_pool.h"
#include "common/async/test_loop.h"
#include "common/base/crc32c.h"
#include "common/control/snapshot.h"
#include "common/log/fake_log.h"
#include "common/net/fake_resolver.h"
#include "common/net/stream.h"
#include "common/observe/health.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/poison/slots.h"
#include "common/record/records.h"
#include "common/report/return_address.h"
#include "common/smtp/sasl.h"
#include "ingress/intake.h"
#include "ingress/role.h"
#include "ingress/test_client.h"

namespace godwit::ingress {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TestClient;

class FixedControl final : public control::View {
 public:
  [[nodiscard]] control::SnapshotPtr current() const override { return snapshot_.load(); }
  void set(control::Snapshot snapshot) {
    auto next = std::make_shared<control::Snapshot>(std::move(snapshot));
    next->version = ++version_;
    next->index();
    snapshot_ = std::move(next);
  }

 private:
  std::uint64_t version_ = 0;
  std::atomic<control::SnapshotPtr> snapshot_;
};

control::Snapshot tenants() {
  control::Snapshot snapshot;
  snapshot.tenants["default"] = {.name = TenantName("default")};
  snapshot.tenants["acme"] = {
      .name = TenantName("acme"),
      .credentials = {{"ann", "secret"}},
      .domains = {{.name = "acme.example", .verified = true, .return_path = "bounce.acme.example"},
                  {.name = "unverified.example"}}};
  snapshot.tenants["free"] = {.name = TenantName("free"), .credentials = {{"fred", "hunter2"}}};
  return snapshot;
}

SmtpListenerConfig listener(ListenerKind kind) {
  SmtpListenerConfig config{.listen = {"127.0.0.1", 0}, .kind = kind};
  if (kind == ListenerKind::kRelay) config.trusted_networks = {"127.0.0.0/8"};
  return config;
}

class IngressTest : public ::testing::Test {
 protected:
  IngressTest() {
    control.set(tenants());
    shards.start();
    config.hostname = "mx.example";
  }
  ~IngressTest() override {
    log.release();
    role.reset();
    pool.stop();
    shards.stop();
    std::filesystem::remove_all(directory);
  }

  void start(std::vector<SmtpListenerConfig> listeners) {
    config.smtp = std::move(listeners);
    role = make_ingress({.shards = shards,
                         .pool = pool,
                         .log = log,
                         .control = control,
                         .resolver = resolver,
                         .clock = system_clock(),
                         .metrics = metrics,
                         .health = health,
                         .poison = poison,
                         .node = "node1",
                         .data_dir = {}},
                        config, {.domain = "bounces.example", .always = false, .keys = keys});
    const auto started = role->start();
    ASSERT_TRUE(started) << started.error().to_string();
  }
  void start(ListenerKind kind) { start({listener(kind)}); }
  [[nodiscard]] net::Address address(std::size_t index = 0) const {
    return *net::Address::from_text(role->addresses().at(index).address);
  }
  TestClient connect(std::size_t index = 0) { return TestClient::greeted(address(index)); }

  // An envelope up to 354.
  static std::string begin_message(TestClient& client,
                                   const std::string& sender = "a@client.example",
                                   const std::string& recipient = "b@example.org") {
    client.send("EHLO client.example\r\nMAIL FROM:<" + sender + ">\r\nRCPT TO:<" + recipient +
                ">\r\nDATA\r\n");
    client.reply();
    for (int i = 0; i < 2; ++i) {
      const std::string reply = client.reply();
      if (!reply.starts_with("250 ")) return reply;
    }
    return client.reply();
  }
  static std::string send_message(TestClient& client, const std::string& content,
                                  const std::string& sender = "a@client.example",
                                  const std::string& recipient = "b@example.org") {
    const std::string reply = begin_message(client, sender, recipient);
    if (!reply.starts_with("354 ")) return reply;
    client.send(content + ".\r\n");
    return client.reply();
  }
  std::vector<record::Message> messages(log::Topic topic = log::Topic::kAccepted) {
    std::vector<record::Message> decoded;
    for (const log::Record& one : log.records(topic)) {
      auto message = record::decode_message(one.value);
      EXPECT_TRUE(message) << message.error().to_string();
      if (message) decoded.push_back(*std::move(message));
    }
    return decoded;
  }
  template <class Condition>
  static void wait_until(Condition condition) {
    const Instant end = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
      std::this_thread::yield();
    }
  }
  // As an operator makes them.
  void make_certificate() {
    std::filesystem::create_directories(directory);
    config.tls = {directory / "tls.crt", directory / "tls.key"};
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "
        "/CN=mx.example -keyout " +
        config.tls.key.string() + " -out " + config.tls.certificate.string() + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  observe::LogCapture quiet{[](std::string_view) {}};
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() /
      ("ingress_test_" + MessageId::generate(system_clock(), system_random()).to_text());
  async::Shards shards{2};
  async::BlockingPool pool{"test", 2, 64};
  log::FakeLog log{system_clock()};
  const std::shared_ptr<const report::ReturnKeys> keys = std::make_shared<report::ReturnKeys>(
      std::vector<report::ReturnKey>{{1, std::string(32, 'k')}});
  FixedControl control;
  net::FakeResolver resolver;
  observe::Metrics metrics;
  observe::Health health;
  poison::Slots poison{1};
  Config config;
  std::unique_ptr<role::Role> role;
};

const std::string kMail = "From: a@client.example\r\nSubject: x\r\n\r\n..dotted\r\nend\r\n";

TEST_F(IngressTest, RelayKeepsWhatItAcknowledges) {
  start(ListenerKind::kRelay);
  TestClient client = connect();
  client.send("EHLO client.example\r\n");
  client.reply();
  EXPECT_EQ(client.ask("MAIL FROM:<a@client.example> BODY=8BITMIME RET=HDRS ENVID=e1"),
            "250 2.1.0 Ok");
  EXPECT_EQ(client.ask("RCPT TO:<b@example.org> NOTIFY=FAILURE ORCPT=rfc822;b@example.org"),
            "250 2.1.5 Ok");
  EXPECT_EQ(client.ask("RCPT TO:<C@Example.org>"), "250 2.1.5 Ok");
  EXPECT_THAT(client.ask("DATA"), StartsWith("354 "));
  client.send(kMail + ".\r\n");
  const std::string reply = client.reply();
  ASSERT_THAT(reply, StartsWith("250 2.0.0 Ok: queued as "));

  const auto kept = messages();
  ASSERT_EQ(kept.size(), 1u);
  const record::Message& message = kept.front();
  EXPECT_EQ(reply, "250 2.0.0 Ok: queued as " + message.message_id().to_text());
  EXPECT_EQ(message.head.tenant(), "default");
  EXPECT_EQ(message.head.total(), 2u);
  EXPECT_TRUE(message.head.body_8bitmime());
  EXPECT_EQ(message.head.origin().listener(), "relay");
  EXPECT_EQ(message.head.origin().protocol(), "ESMTP");
  EXPECT_EQ(message.head.origin().address(), "127.0.0.1");
  EXPECT_EQ(message.head.origin().node(), "node1");
  EXPECT_EQ(message.envelope.sender(), "a@client.example");
  EXPECT_EQ(message.envelope.ret(), v1::Envelope::RET_HDRS);
  EXPECT_EQ(message.envelope.envid(), "e1");
  ASSERT_EQ(message.envelope.recipients_size(), 2);
  EXPECT_EQ(message.envelope.recipients(0).notify(), smtp::kNotifyFailure);
  EXPECT_EQ(message.envelope.recipients(0).orcpt(), "rfc822;b@example.org");
  EXPECT_EQ(message.envelope.recipients(1).address(), "C@Example.org");
  EXPECT_EQ(message.envelope.recipients(1).index(), 1u);
  const std::string content = message.data.to_string();
  EXPECT_THAT(content, StartsWith("Received: from client.example"));
  EXPECT_THAT(content, ::testing::EndsWith(kMail));  // wire form, not an octet changed
  EXPECT_THAT(content,
              Not(HasSubstr("b@example.org")));  // RFC 5321 s7.2: two recipients stay private
  EXPECT_EQ(message.content.size(), content.size());
  EXPECT_EQ(message.content.size_unstuffed(), content.size() - 1);
  EXPECT_EQ(message.content.crc32c(), crc32c(content));
  EXPECT_TRUE(message.content.dot_stuffed());
  EXPECT_FALSE(message.content.has_8bit());
}

TEST_F(IngressTest, NothingIsAcknowledgedBeforeTheLogDid) {
  start(ListenerKind::kRelay);
  log.hold();
  TestClient client = connect();
  ASSERT_THAT(begin_message(client), StartsWith("354 "));
  client.send(kMail + ".\r\nNOOP\r\n");
  wait_until([&] { return log.writes_waiting() == 1; });
  // The append is with the log and not acknowledged. Another session makes a round trip on each
  // shard, so a reply that did not wait would be here.
  for (int i = 0; i < 16; ++i) connect().ask("NOOP");
  EXPECT_TRUE(client.silent());
  log.release();
  EXPECT_THAT(client.reply(), StartsWith("250 2.0.0 Ok: queued as "));
  EXPECT_EQ(client.reply(), "250 2.0.0 Ok");
}

TEST_F(IngressTest, ErrorsOfTheLog) {
  start(ListenerKind::kRelay);
  TestClient client = connect();
  log.fail_next(log::Errc::kNoSpace);
  EXPECT_THAT(send_message(client, kMail), StartsWith("452 4.3.1 "));
  log.fail_next(log::Errc::kUnavailable);
  EXPECT_THAT(send_message(client, kMail), StartsWith("451 4.3.0 "));
  log.unknown_next(true);
  EXPECT_THAT(send_message(client, kMail), StartsWith("451 4.3.0 "));
  EXPECT_THAT(send_message(client, kMail), StartsWith("250 2.0.0 "));
  EXPECT_EQ(role->problem(), "");
  log.set_problem("disk gone");
  EXPECT_THAT(role->problem(), HasSubstr("disk gone"));
}

TEST_F(IngressTest, LateAcknowledgementIsNoAcknowledgement) {
  config.timeouts.store = 50ms;
  start(ListenerKind::kRelay);
  log.hold();
  TestClient client = connect();
  EXPECT_THAT(send_message(client, kMail), StartsWith("451 4.3.0 "));
  EXPECT_THAT(metrics.text(),
              Not(HasSubstr("godwit_ingress_message_bytes 0\n")));  // the log still holds it
  log.release();
  wait_until(
      [&] { return metrics.text().find("godwit_ingress_message_bytes 0\n") != std::string::npos; });
  EXPECT_THAT(client.ask("NOOP"), StartsWith("250 "));
}

TEST_F(IngressTest, RelayIsForTrustedNetworks) {
  SmtpListenerConfig closed = listener(ListenerKind::kRelay);
  closed.trusted_networks = {"10.0.0.0/8"};
  start({closed});
  TestClient client = connect();
  EXPECT_EQ(send_message(client, kMail), "550 5.7.1 Relaying denied");
  EXPECT_TRUE(messages().empty());
}

TEST_F(IngressTest, RelayFindsTheTenant) {
  SmtpListenerConfig named = listener(ListenerKind::kRelay);
  named.tenant = "free";
  start({listener(ListenerKind::kRelay), named});
  TestClient by_from = connect(0);
  EXPECT_THAT(send_message(by_from, "From: Ann <ann@Acme.Example>\r\n\r\nx\r\n"),
              StartsWith("250 "));
  EXPECT_EQ(messages().back().head.tenant(), "acme");
  TestClient by_name = connect(1);
  EXPECT_THAT(send_message(by_name, "From: Ann <ann@acme.example>\r\n\r\nx\r\n"),
              StartsWith("250 "));
  std::vector<std::string> found;
  for (const auto& message : messages()) found.push_back(message.head.tenant());
  EXPECT_THAT(found, ::testing::UnorderedElementsAre("acme", "free"));
}

TEST_F(IngressTest, InboundTakesItsDomainsOnly) {
  start(ListenerKind::kInbound);
  TestClient client = connect();
  EXPECT_THAT(client.ask("EHLO out.example"), Not(HasSubstr("AUTH")));
  client.ask("MAIL FROM:<>");
  EXPECT_EQ(client.ask("RCPT TO:<b@example.org>"), "550 5.7.1 Relaying denied");
  EXPECT_EQ(client.ask("RCPT TO:<b@unverified.example>"), "550 5.7.1 Relaying denied");
  EXPECT_EQ(client.ask("RCPT TO:<x@Bounce.Acme.Example>"), "550 5.1.1 No such mailbox here");
  EXPECT_EQ(client.ask("RCPT TO:<reply@acme.example>"), "550 5.7.1 Relaying denied");
  const auto to = [&](const report::ReturnKeys& signer, const std::string& domain) {
    return client.ask("RCPT TO:<" +
                      signer.encode({.message = {}, .index = 1, .tenant_tag = 2}, domain) + ">");
  };
  const report::ReturnKeys forger({{1, std::string(32, 'f')}});
  const report::ReturnKeys stranger({{2, std::string(32, 'k')}});
  EXPECT_EQ(to(forger, "bounce.acme.example"), "550 5.7.1 Not a return address of ours");
  EXPECT_EQ(to(stranger, "bounce.acme.example"), "550 5.7.1 Not a return address of ours");
  EXPECT_EQ(to(*keys, "bounce.acme.example"), "250 2.1.5 Ok");
  EXPECT_THAT(to(*keys, "bounces.example"), StartsWith("452 4.5.3 "));  // another owner
  EXPECT_EQ(client.ask("RCPT TO:<Abuse@bounce.acme.example>"), "250 2.1.5 Ok");
  EXPECT_THAT(client.ask("DATA"), StartsWith("354 "));
  client.send("Subject: Undelivered\r\n\r\nx\r\n.\r\n");
  EXPECT_THAT(client.reply(), StartsWith("250 2.0.0 "));
  EXPECT_TRUE(messages().empty());
  const auto reports = messages(log::Topic::kReports);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].head.tenant(), "acme");
  EXPECT_EQ(reports[0].head.origin().listener(), "inbound");
  client.ask("MAIL FROM:<>");
  EXPECT_EQ(client.ask("RCPT TO:<Postmaster>"), "250 2.1.5 Ok");
}

TEST_F(IngressTest, SubmissionNeedsALogin) {
  config.limits.auth_failures_max = 10;
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  // On loopback, also in the clear.
  EXPECT_THAT(client.ask("EHLO client.example"), HasSubstr("AUTH PLAIN LOGIN"));
  EXPECT_EQ(client.ask("MAIL FROM:<a@acme.example>"), "530 5.7.0 Authentication required");
  const auto login = [&](const std::string& user, const std::string& password,
                         const std::string& as = {}) {
    return client.ask(
        "AUTH PLAIN " +
        smtp::plain_response({.authorization = as, .username = user, .password = password}));
  };
  const std::string invalid = "535 5.7.8 Authentication credentials invalid";
  EXPECT_EQ(login("ann", "wrong"), invalid);
  EXPECT_EQ(login("nobody", "secret"), invalid);
  EXPECT_EQ(login("ann", ""), invalid);
  EXPECT_EQ(login("ann", "secret", "fred"), invalid);
  EXPECT_EQ(client.ask("MAIL FROM:<a@acme.example>"), "530 5.7.0 Authentication required");
  EXPECT_EQ(login("ann", "secret"), "235 2.7.0 Authentication successful");

  // Senders of the tenant's verified domains only.
  EXPECT_THAT(client.ask("MAIL FROM:<a@other.example>"), StartsWith("550 5.7.1 "));
  EXPECT_THAT(client.ask("MAIL FROM:<a@unverified.example>"), StartsWith("550 5.7.1 "));
  EXPECT_THAT(send_message(client, "From: a@other.example\r\n\r\nx\r\n", "a@acme.example"),
              StartsWith("550 5.7.1 "));
  EXPECT_THAT(send_message(client, "Subject: x\r\n\r\nx\r\n", "a@acme.example"),
              StartsWith("550 5.7.1 "));
  EXPECT_TRUE(messages().empty());

  EXPECT_THAT(send_message(client, "From: a@acme.example\r\n\r\nx\r\n", "v@bounce.acme.example"),
              StartsWith("250 2.0.0 "));
  const auto kept = messages();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].head.tenant(), "acme");
  EXPECT_EQ(kept[0].head.origin().username(), "ann");
  EXPECT_EQ(kept[0].head.origin().protocol(), "ESMTPA");
  const std::string content = kept[0].data.to_string();
  EXPECT_THAT(content,
              HasSubstr("\r\nMessage-ID: <" + kept[0].message_id().to_text() + "@mx.example>\r\n"));
  EXPECT_THAT(content, HasSubstr("\r\nDate: "));

  // A login that is revoked ends the session at the next message.
  control::Snapshot without = tenants();
  without.tenants["acme"].credentials.clear();
  control.set(std::move(without));
  EXPECT_THAT(client.ask("MAIL FROM:<a@acme.example>"), StartsWith("421 4.7.0 "));
  EXPECT_TRUE(client.closed());
}

TEST_F(IngressTest, SubmissionKeepsTheClientsFields) {
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  client.ask("EHLO client.example");
  EXPECT_THAT(client.ask("AUTH PLAIN " +
                         smtp::plain_response(
                             {.authorization = {}, .username = "fred", .password = "hunter2"})),
              StartsWith("235 "));
  const std::string mail =
      "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@client.example>\r\nFrom: "
      "any@where.example\r\n\r\nx\r\n";
  EXPECT_THAT(send_message(client, mail, "any@where.example"), StartsWith("250 "));
  const std::string content = messages().at(0).data.to_string();
  EXPECT_EQ(content.find("Message-ID:"), content.rfind("Message-ID:"));
  EXPECT_EQ(content.find("Date:"), content.rfind("Date:"));
}

TEST_F(IngressTest, HashedPasswordsAndFailureLimits) {
  char hash[crypto_pwhash_STRBYTES];
  ASSERT_GE(sodium_init(), 0);
  ASSERT_EQ(
      crypto_pwhash_str(hash, "secret", 6, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN),
      0);
  control::Snapshot snapshot = tenants();
  snapshot.tenants["acme"].credentials = {{"ann", hash}};
  control.set(std::move(snapshot));
  config.budgets.auth_failures_per_account_max = 1;
  config.budgets.auth_failures_per_address_max = 3;
  config.limits.auth_failures_max = 10;
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  client.ask("EHLO client.example");
  const auto login = [&](const std::string& user, const std::string& password) {
    return client.ask(
        "AUTH PLAIN " +
        smtp::plain_response({.authorization = {}, .username = user, .password = password}));
  };
  EXPECT_THAT(login("ann", "wrong"), StartsWith("535 "));
  EXPECT_THAT(login("ann", "secret"), StartsWith("454 4.7.0 "));  // of the account
  EXPECT_THAT(login("x", "x"), StartsWith("535 "));
  EXPECT_THAT(login("y", "y"), StartsWith("535 "));
  EXPECT_THAT(login("fred", "hunter2"), StartsWith("421 4.7.0 "));  // of the address
  EXPECT_TRUE(client.closed());
}

TEST_F(IngressTest, HashedPasswordIsAccepted) {
  char hash[crypto_pwhash_STRBYTES];
  ASSERT_GE(sodium_init(), 0);
  ASSERT_EQ(
      crypto_pwhash_str(hash, "secret", 6, crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN),
      0);
  control::Snapshot snapshot = tenants();
  snapshot.tenants["acme"].credentials = {{"ann", hash}};
  control.set(std::move(snapshot));
  start(ListenerKind::kSubmission);
  TestClient client = connect();
  client.ask("EHLO client.example");
  EXPECT_THAT(client.ask("AUTH PLAIN " +
                         smtp::plain_response(
                             {.authorization = {}, .username = "ann", .password = "secret"})),
              StartsWith("235 "));
}

TEST_F(IngressTest, LoopIsRefused) {
  start(ListenerKind::kRelay);
  TestClient client = connect();
  std::string received;
  for (int i = 0; i < 49; ++i) received += "Received: from a by b; x\r\n";
  EXPECT_THAT(send_message(client, received + kMail), StartsWith("250 "));
  EXPECT_THAT(send_message(client, received + "Received: x\r\n" + kMail), StartsWith("554 5.4.6 "));
  EXPECT_EQ(messages().size(), 1u);
}

TEST_F(IngressTest, TextWithoutHeaderStaysTheBody) {
  start(ListenerKind::kRelay);
  TestClient client = connect();
  EXPECT_THAT(send_message(client, "just text\r\n"), StartsWith("250 "));
  EXPECT_THAT(send_message(client, ""), StartsWith("250 "));
  EXPECT_THAT(messages().at(0).data.to_string() + messages().at(1).data.to_string(),
              HasSubstr("\r\n\r\njust text\r\n"));
}

TEST_F(IngressTest, LongContentGoesToBodiesFirst) {
  start(ListenerKind::kRelay);
  log.hold();
  TestClient client = connect();
  std::string content = "Subject: long\r\n\r\n";
  while (content.size() < 1'300'000) content += "line " + std::to_string(content.size()) + "\r\n";
  ASSERT_THAT(begin_message(client), StartsWith("354 "));
  client.send(content + ".\r\n");
  wait_until([&] { return log.writes_waiting() == 1; });
  EXPECT_TRUE(log.records(log::Topic::kAccepted).empty());
  log.sync();
  wait_until([&] { return log.writes_waiting() == 1; });
  EXPECT_TRUE(client.silent());  // the body is there, the record not yet
  log.release();
  ASSERT_THAT(client.reply(), StartsWith("250 2.0.0 "));

  const record::Message message = messages().at(0);
  ASSERT_EQ(message.where(), record::Message::Where::kBody);
  const auto& body = message.content.body();
  EXPECT_EQ(body.chunks(), 3u);
  std::string joined;
  for (const log::Record& chunk : log.records({log::Topic::kBodies, body.partition()})) {
    EXPECT_EQ(chunk.offset,
              body.first_offset() + static_cast<log::Offset>(joined.size() / kBodyChunkBytes));
    EXPECT_EQ(chunk.key, message.message_id().octets());
    joined += chunk.value.to_string();
  }
  EXPECT_THAT(joined, ::testing::EndsWith(content));
  EXPECT_EQ(message.content.size(), joined.size());
  EXPECT_EQ(message.content.crc32c(), crc32c(joined));
}

TEST_F(IngressTest, ManyRecipientsBecomeSeveralRecords) {
  config.limits.recipients_max = 3000;
  start(ListenerKind::kRelay);
  TestClient client = connect();
  client.ask("EHLO client.example");
  client.ask("MAIL FROM:<a@client.example>");
  const std::string tail = "@" + std::string(60, 'd') + "." + std::string(60, 'd') + "." +
                           std::string(60, 'd') + ".example";
  for (int sent = 0; sent < 3000; sent += 100) {
    std::string flight;
    for (int i = sent; i < sent + 100; ++i)
      flight += "RCPT TO:<r" + std::to_string(i) + tail + ">\r\n";
    client.send(flight);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(client.reply(), "250 2.1.5 Ok");
  }
  EXPECT_THAT(client.ask("RCPT TO:<one@more.example>"), StartsWith("452 4.5.3 "));
  ASSERT_THAT(client.ask("DATA"), StartsWith("354 "));
  client.send(kMail + ".\r\n");
  ASSERT_THAT(client.reply(), StartsWith("250 2.0.0 "));
  const auto kept = messages();
  ASSERT_EQ(kept.size(), 2u);
  std::uint32_t next = 0;
  for (const record::Message& message : kept) {
    EXPECT_EQ(message.head.first_index(), next);
    EXPECT_EQ(message.head.total(), 3000u);
    EXPECT_EQ(message.message_id(), kept[0].message_id());
    EXPECT_EQ(message.where(), record::Message::Where::kBody);
    for (const auto& recipient : message.envelope.recipients()) {
      EXPECT_EQ(recipient.index(), next);
      EXPECT_EQ(recipient.address(), "r" + std::to_string(next) + tail);
      ++next;
    }
  }
  EXPECT_EQ(next, 3000u);
}

TEST_F(IngressTest, MemoryIsBounded) {
  config.budgets.message_bytes_max = 1 << 20;
  start(ListenerKind::kRelay);
  log.hold();
  TestClient first = connect();
  ASSERT_THAT(begin_message(first), StartsWith("354 "));
  std::string content;
  while (content.size() < 400'000) content += std::string(70, 'x') + "\r\n";
  first.send(content + ".\r\n");
  wait_until([&] { return log.writes_waiting() == 1; });
  // While the first waits for the log a second one does not fit, announced or not.
  TestClient second = connect();
  second.ask("EHLO client.example");
  EXPECT_THAT(second.ask("MAIL FROM:<a@client.example> SIZE=900000"), StartsWith("250 "));
  EXPECT_THAT(second.ask("RCPT TO:<b@example.org>"), StartsWith("250 "));
  EXPECT_THAT(second.ask("DATA"), StartsWith("452 4.3.1 "));
  TestClient third = connect();
  EXPECT_THAT(send_message(third, content + content), StartsWith("452 4.3.1 "));
  log.release();
  EXPECT_THAT(first.reply(), StartsWith("250 "));
  EXPECT_THAT(send_message(third, content), StartsWith("250 "));
}

TEST_F(IngressTest, SessionsAreCounted) {
  config.budgets.sessions_max = 2;
  start(ListenerKind::kRelay);
  TestClient first = connect();
  {
    TestClient second = connect();
    TestClient third(address());
    EXPECT_THAT(third.reply(), StartsWith("421 4.7.0 "));
    EXPECT_TRUE(third.closed());
  }
  wait_until(
      [&] { return metrics.text().find("godwit_ingress_sessions 1\n") != std::string::npos; });
  connect();
}

TEST_F(IngressTest, SilenceIsTimedOut) {
  config.timeouts.command = 1s;
  config.timeouts.block = 1s;
  start(ListenerKind::kRelay);
  TestClient silent = connect();
  TestClient slow = connect();
  slow.send("EHL");  // a command that never ends
  TestClient in_content = connect();
  ASSERT_THAT(begin_message(in_content), StartsWith("354 "));
  in_content.send("half a mess");
  EXPECT_THAT(silent.reply(), StartsWith("421 4.4.2 "));
  EXPECT_TRUE(silent.closed());
  EXPECT_THAT(slow.reply(), StartsWith("421 4.4.2 "));
  EXPECT_THAT(in_content.reply(), StartsWith("421 4.4.2 "));
  EXPECT_TRUE(messages().empty());
}

TEST_F(IngressTest, DrainFinishesWhatIsUnderWay) {
  start(ListenerKind::kRelay);
  TestClient idle = connect();
  TestClient sending = connect();
  ASSERT_THAT(begin_message(sending), StartsWith("354 "));
  std::thread draining([&] { role->drain(std::chrono::steady_clock::now() + 30s); });
  EXPECT_THAT(idle.reply(), StartsWith("421 4.3.2 "));
  EXPECT_TRUE(idle.closed());
  sending.send(kMail + ".\r\n");
  EXPECT_THAT(sending.reply(), StartsWith("250 2.0.0 "));
  EXPECT_THAT(sending.reply(), StartsWith("421 4.3.2 "));
  EXPECT_TRUE(sending.closed());
  draining.join();
  EXPECT_EQ(messages().size(), 1u);
  EXPECT_NE(role->problem(), "");
}

// Clients that never stop sending meet a drain: each hears 421 in its turn, and whatever was
// acknowledged is kept.
TEST_F(IngressTest, DrainUnderLoadKeepsEveryAcknowledgedMessage) {
  start(ListenerKind::kRelay);
  std::atomic<int> acknowledged_total{0};
  std::vector<std::vector<std::string>> acknowledged(8);
  std::vector<std::thread> clients;
  for (auto& own : acknowledged) {
    // All are greeted before the drain, which refuses new connections.
    clients.emplace_back([&own, &acknowledged_total, client = connect()]() mutable {
      client.send("EHLO client.example\r\n");
      // On a busy machine the drain may be quicker than this thread.
      if (client.reply().starts_with("421 4.3.2 ")) return;
      for (;;) {
        client.send(
            "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@example.org>\r\nBDAT 3 LAST\r\nx\r\n");
        for (int i = 0; i < 3; ++i) {
          const std::string reply = client.reply();
          if (reply.starts_with("250 2.0.0 Ok: queued as ")) {
            own.push_back(reply.substr(24));
            ++acknowledged_total;
          } else if (!reply.starts_with("250 ")) {
            EXPECT_THAT(reply, StartsWith("421 4.3.2 "));
            return;
          }
        }
      }
    });
  }
  wait_until([&] { return acknowledged_total > 200; });
  role->drain(std::chrono::steady_clock::now() + 30s);
  for (std::thread& client : clients) client.join();
  std::vector<std::string> expected;
  for (const auto& own : acknowledged) expected.insert(expected.end(), own.begin(), own.end());
  std::vector<std::string> kept;
  for (const auto& message : messages()) kept.push_back(message.message_id().to_text());
  std::ranges::sort(expected);
  std::ranges::sort(kept);
  EXPECT_EQ(kept, expected);
}

TEST_F(IngressTest, StopCutsWhatIsLeft) {
  start(ListenerKind::kRelay);
  TestClient idle = connect();
  TestClient sending = connect();
  ASSERT_THAT(begin_message(sending), StartsWith("354 "));
  role->stop();
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(sending.closed());
}

TEST_F(IngressTest, SmuggledCommandsAreNotRead) {
  start(ListenerKind::kRelay);
  TestClient client = connect();
  ASSERT_THAT(begin_message(client), StartsWith("354 "));
  client.send(
      "x\r\n.\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\n");
  EXPECT_THAT(client.reply(), StartsWith("554 5.5.2 "));
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(messages().empty());
}

TEST_F(IngressTest, PipelinedMessagesInOneFlight) {
  start(ListenerKind::kRelay);
  TestClient client = connect();
  std::string flight = "EHLO client.example\r\n";
  for (int i = 0; i < 20; ++i) {
    flight +=
        "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@example.org>\r\nBDAT 12 LAST\r\nmessage " +
        std::to_string(10 + i) + "\r\n";
  }
  client.send(flight + "QUIT\r\n");
  client.reply();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.reply(), "250 2.1.0 Ok");
    EXPECT_EQ(client.reply(), "250 2.1.5 Ok");
    EXPECT_THAT(client.reply(), StartsWith("250 2.0.0 Ok: queued as "));
  }
  EXPECT_THAT(client.reply(), StartsWith("221 "));
  EXPECT_EQ(messages().size(), 20u);
  EXPECT_FALSE(messages().front().content.dot_stuffed());
}

// --- TLS -----------------------------------------------------------------------------------------

async::Task<std::string> read_reply(net::Stream& stream) {
  std::string text;
  char buffer[4096];
  while (!text.ends_with("\r\n")) {
    const auto count = co_await stream.read_some(buffer, std::chrono::steady_clock::now() + 30s);
    if (!count || *count == 0) co_return text;
    text.append(buffer, *count);
  }
  co_return text;
}
async::Task<std::string> ask(net::Stream& stream, std::string line) {
  line += "\r\n";
  (void)co_await stream.write(line, std::chrono::steady_clock::now() + 30s);
  co_return co_await read_reply(stream);
}

async::Task<std::string> submit_over_tls(async::Shard& shard, net::Address address,
                                         net::TlsClientContext& tls, bool implicit) {
  const Instant deadline = std::chrono::steady_clock::now() + 30s;
  auto connected = co_await net::connect(shard, address, std::nullopt, deadline);
  if (!connected) co_return connected.error().to_string();
  net::Stream stream = *std::move(connected);
  if (!implicit) {
    (void)co_await read_reply(stream);
    const std::string features = co_await ask(stream, "EHLO client.example");
    if (features.find("STARTTLS") == std::string::npos) co_return features;
    (void)co_await ask(stream, "STARTTLS");
  }
  const auto secured = co_await stream.start_tls_client(
      tls, {.host = "mx.example", .trust = net::TlsTrust::kVerified}, deadline);
  if (!secured) co_return secured.error().to_string();
  if (implicit) (void)co_await read_reply(stream);
  const std::string features = co_await ask(stream, "EHLO client.example");
  if (features.find("STARTTLS") != std::string::npos) co_return features;
  (void)co_await ask(stream, "AUTH PLAIN AGZyZWQAaHVudGVyMg==");
  (void)co_await ask(stream, "MAIL FROM:<a@client.example>");
  (void)co_await ask(stream, "RCPT TO:<b@example.org>");
  (void)co_await ask(stream, "DATA");
  co_return co_await ask(stream, "From: a@client.example\r\n\r\nx\r\n.");
}

TEST_F(IngressTest, TlsBothWaysAndReload) {
  make_certificate();
  SmtpListenerConfig implicit = listener(ListenerKind::kSubmission);
  implicit.tls = ListenerTls::kImplicit;
  start({listener(ListenerKind::kSubmission), implicit});
  EXPECT_EQ(role->addresses().at(1).name, "smtp.submissions");
  const auto submit = [&](std::size_t index) {
    const auto tls = net::TlsClientContext::create({.ca_file = config.tls.certificate.string()});
    EXPECT_TRUE(tls);
    async::TestLoop loop;
    return loop.run(submit_over_tls(loop.shard(), address(index), **tls, index == 1));
  };
  EXPECT_THAT(submit(0), StartsWith("250 2.0.0 "));
  EXPECT_THAT(submit(1), StartsWith("250 2.0.0 "));
  EXPECT_EQ(messages().at(0).head.origin().protocol(), "ESMTPSA");
  EXPECT_THAT(messages().at(0).head.origin().tls(), StartsWith("TLSv1.3 "));

  make_certificate();  // another key: the old one is served until the reload
  EXPECT_THAT(submit(0), Not(StartsWith("250 2.0.0 ")));
  ASSERT_TRUE(role->reload());
  EXPECT_THAT(submit(0), StartsWith("250 2.0.0 "));
}

TEST_F(IngressTest, CommandsBehindStartTlsAreNotTaken) {
  make_certificate();
  start(ListenerKind::kRelay);
  TestClient client = connect();
  client.send("EHLO client.example\r\nSTARTTLS\r\nMAIL FROM:<injected@client.example>\r\n");
  client.reply();
  EXPECT_THAT(client.reply(), StartsWith("554 5.5.0 "));
  EXPECT_TRUE(client.closed());
}

TEST_F(IngressTest, StartSaysWhatIsWrong) {
  SmtpListenerConfig implicit = listener(ListenerKind::kSubmission);
  implicit.tls = ListenerTls::kImplicit;
  config.smtp = {implicit};
  const role::RoleContext context{.shards = shards,
                                  .pool = pool,
                                  .log = log,
                                  .control = control,
                                  .resolver = resolver,
                                  .clock = system_clock(),
                                  .metrics = metrics,
                                  .health = health,
                                  .poison = poison,
                                  .node = "node1",
                                  .data_dir = {}};
  auto without = make_ingress(context, config, {});
  EXPECT_THAT(without->start().error().to_string(), HasSubstr("names no certificate"));
  config.tls = {"/nowhere/tls.crt", "/nowhere/tls.key"};
  auto missing = make_ingress(context, config, {});
  EXPECT_THAT(missing->start().error().to_string(), HasSubstr("/nowhere/tls.crt"));
}

}  // namespace
}  // namespace godwit::ingress
