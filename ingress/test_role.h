#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "common/async/test_loop.h"
#include "common/base/crc32c.h"
#include "common/base/test_directory.h"
#include "common/base/test_eventually.h"
#include "common/log/by_message.h"
#include "common/net/stream.h"
#include "common/observe/log.h"
#include "common/record/body.h"
#include "common/record/records.h"
#include "common/report/return_address.h"
#include "common/role/test_process.h"
#include "common/smtp/sasl.h"
#include "ingress/intake.h"
#include "ingress/role.h"
#include "ingress/test_client.h"
#include "ingress/test_password_hash.h"

// The role as a whole: real sockets on loopback, the log's fake.
namespace godwit::ingress::testing {

using namespace std::chrono_literals;

inline control::Snapshot tenants() {
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

inline SmtpListenerConfig listener(ListenerKind kind) {
  SmtpListenerConfig config{.listen = {"127.0.0.1", 0}, .kind = kind};
  if (kind == ListenerKind::kRelay) config.trusted_networks = {"127.0.0.0/8"};
  return config;
}

class IngressTest : public ::testing::Test, protected role::TestProcess {
 protected:
  IngressTest() {
    control.set(tenants());
    config.hostname = "mx.example";
  }
  ~IngressTest() override { log.release(); }

  void start(std::vector<SmtpListenerConfig> listeners) {
    config.smtp = std::move(listeners);
    role = make_ingress(context(), config,
                        {.domain = "bounces.example", .always = false, .keys = keys});
    const auto started = role->start();
    ASSERT_TRUE(started) << started.error().to_string();
  }
  void start(ListenerKind kind) { start({listener(kind)}); }
  [[nodiscard]] net::Address address(std::size_t index = 0) const {
    return *net::Address::from_text(role->addresses().at(index).address);
  }
  TestClient connect(std::size_t index = 0) { return TestClient::greeted(address(index)); }

  // The reply to AUTH PLAIN.
  static std::string log_in(TestClient& client, const std::string& user,
                            const std::string& password, const std::string& as = {}) {
    return client.ask(
        "AUTH PLAIN " +
        smtp::plain_response({.authorization = as, .username = user, .password = password}));
  }
  // An envelope up to 354.
  static std::string begin_message(TestClient& client,
                                   const std::string& sender = "a@client.example",
                                   const std::string& recipient = "b@example.org") {
    client.send("EHLO client.example\r\nMAIL FROM:<" + sender + ">\r\nRCPT TO:<" + recipient +
                ">\r\nDATA\r\n");
    client.reply();
    for (int i = 0; i < 2; ++i) {
      std::string reply = client.reply();
      if (!reply.starts_with("250 ")) return reply;
    }
    return client.reply();
  }
  static std::string send_message(TestClient& client, const std::string& content,
                                  const std::string& sender = "a@client.example",
                                  const std::string& recipient = "b@example.org") {
    std::string reply = begin_message(client, sender, recipient);
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
    ASSERT_TRUE(eventually(condition)) << "waited in vain";
  }
  // As an operator makes them.
  CertificateConfig make_certificate(const std::string& name, const std::string& host) {
    CertificateConfig made{directory / (name + ".crt"), directory / (name + ".key")};
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=" +
        host + " -keyout " + made.key.string() + " -out " + made.certificate.string() +
        " 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return made;
  }
  void make_certificate() {
    const CertificateConfig made = make_certificate("tls", "mx.example");
    config.tls = {made.certificate, made.key, {}};
  }

  observe::LogCapture quiet{[](std::string_view) {}};
  TestDirectory directory;
  const std::shared_ptr<const report::ReturnKeys> keys = std::make_shared<report::ReturnKeys>(
      std::vector<report::ReturnKey>{{1, std::string(32, 'k')}});
  Config config;
  std::unique_ptr<role::Role> role;
};

inline const std::string kMail = "From: a@client.example\r\nSubject: x\r\n\r\n..dotted\r\nend\r\n";

}  // namespace godwit::ingress::testing
