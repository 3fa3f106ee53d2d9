// Listeners behind proxies: whose a connection is, and who is nobody's.
#include "ingress/proxied_client.h"

#include <mutex>
#include <thread>

#include "common/net/proxy_header.h"
#include "ingress/test_role.h"

namespace godwit::ingress {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::kMail;
using testing::listener;
using ::testing::StartsWith;
using testing::TestClient;

constexpr std::string_view kClient = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n";
constexpr std::string_view kStranger = "PROXY TCP4 203.0.113.9 198.51.100.1 40000 25\r\n";

class ProxiedClient : public testing::IngressTest {
 protected:
  // Clients of 192.0.2.0/24 may relay, and proxies are on loopback: this test is one.
  static SmtpListenerConfig proxied(ListenerKind kind = ListenerKind::kRelay) {
    SmtpListenerConfig config = listener(kind);
    if (kind == ListenerKind::kRelay) config.trusted_networks = {"192.0.2.0/24", "2001:db8::/32"};
    config.proxy_networks = {"127.0.0.0/8"};
    return config;
  }
  TestClient through_proxy(std::string_view header, std::size_t index = 0) {
    TestClient client(address(index));
    client.send(header);
    return client;
  }
  [[nodiscard]] bool counted(const std::string& reason, int count) {
    return eventually([&] {
      return metrics.text().find("godwit_ingress_proxy_refused_total{reason=\"" + reason + "\"} " +
                                 std::to_string(count) + "\n") != std::string::npos;
    });
  }
  [[nodiscard]] std::string lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::string lines_;
  observe::LogCapture capture_{[this](std::string_view line) {
                                 const std::lock_guard lock(mutex_);
                                 lines_.append(line).append("\n");
                               },
                               observe::Level::kInfo};
};

TEST_F(ProxiedClient, IsTheOneThatTheHeaderNames) {
  start({proxied()});
  const std::string version2 =
      net::proxy_v2_header({*net::Address::from_text("[2001:db8::7]:40000"),
                            *net::Address::from_text("[2001:db8::1]:25")});
  for (const std::string_view header : {kClient, std::string_view(version2)}) {
    TestClient client = through_proxy(header);
    ASSERT_THAT(client.reply(), StartsWith("220 "));
    EXPECT_THAT(send_message(client, kMail), StartsWith("250 2.0.0 "));
  }
  const auto kept = messages();
  ASSERT_EQ(kept.size(), 2u);
  for (const auto& message : kept) {
    const std::string& address = message.head.origin().address();
    EXPECT_TRUE(address == "192.0.2.7" || address == "2001:db8::7") << address;
    const std::string literal = address == "192.0.2.7" ? "[192.0.2.7]" : "[IPv6:2001:db8::7]";
    EXPECT_THAT(message.data.to_string(),
                StartsWith("Received: from client.example (" + literal + ")"));
  }
}

TEST_F(ProxiedClient, HasTheRightsOfItsOwnAddressAndNotOfItsProxy) {
  SmtpListenerConfig config = proxied();
  config.trusted_networks.emplace_back("127.0.0.0/8");
  start({config, proxied(ListenerKind::kSubmission)});
  TestClient stranger = through_proxy(kStranger);
  ASSERT_THAT(stranger.reply(), StartsWith("220 "));
  stranger.ask("EHLO client.example");
  EXPECT_THAT(stranger.ask("MAIL FROM:<a@client.example>"), StartsWith("550 5.7.1 "));
  // In the clear from loopback AUTH is taken; the client is elsewhere.
  TestClient user = through_proxy(kStranger, 1);
  ASSERT_THAT(user.reply(), StartsWith("220 "));
  EXPECT_THAT(user.ask("EHLO client.example"), Not(HasSubstr("AUTH")));
}

TEST_F(ProxiedClient, IsTheProxyWhereThatSpeaksForItself) {
  SmtpListenerConfig config = proxied();
  config.trusted_networks = {"127.0.0.0/8"};
  start({config});
  const std::string local("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", 16);
  for (const std::string& header : {local, std::string("PROXY UNKNOWN\r\n")}) {
    TestClient client = through_proxy(header);
    ASSERT_THAT(client.reply(), StartsWith("220 "));
    EXPECT_THAT(send_message(client, kMail), StartsWith("250 2.0.0 "));
  }
  for (const auto& message : messages()) EXPECT_EQ(message.head.origin().address(), "127.0.0.1");
}

TEST_F(ProxiedClient, FindsWhatItSentBehindTheHeader) {
  start({proxied()});
  // All of it in one segment: a greeting is not waited for.
  TestClient client =
      through_proxy(std::string(kClient) + "EHLO client.example\r\nNOOP\r\nQUIT\r\n");
  EXPECT_THAT(client.reply(), StartsWith("220 "));
  EXPECT_THAT(client.reply(), StartsWith("250-mx.example"));
  EXPECT_THAT(client.reply(), StartsWith("250 2.0.0"));
  EXPECT_THAT(client.reply(), StartsWith("221 "));
}

TEST_F(ProxiedClient, IsNobodyFromElsewhereWhateverItSays) {
  SmtpListenerConfig config = proxied();
  config.proxy_networks = {"198.51.100.0/24"};
  config.trusted_networks = {"192.0.2.0/24", "127.0.0.0/8"};
  start({config});
  EXPECT_TRUE(through_proxy(kClient).closed());
  EXPECT_TRUE(TestClient(address()).closed()) << "who waits for a greeting gets none";
  EXPECT_TRUE(counted("not_a_proxy", 2));
  EXPECT_THAT(lines(), HasSubstr("the peer is not in proxy_networks"));
  EXPECT_THAT(lines(), Not(HasSubstr("127.0.0.1"))) << "addresses of people at debug only";
}

TEST_F(ProxiedClient, IsNobodyWithoutAHeader) {
  config.timeouts.proxy_header = 1s;
  start({proxied()});
  EXPECT_TRUE(through_proxy("EHLO client.example\r\n").closed());
  EXPECT_TRUE(through_proxy("PROXY TCP4 192.0.2.7 198.51.100.1 40000 70000\r\n").closed());
  EXPECT_TRUE(counted("malformed", 2));
  EXPECT_THAT(lines(), HasSubstr("not a port"));
  EXPECT_THAT(lines(), HasSubstr("\"peer\":\"127.0.0.1:")) << "the proxy is a machine of ours";
  EXPECT_TRUE(TestClient(address()).closed()) << "in timeouts.proxy_header";
  EXPECT_TRUE(through_proxy("PROXY TCP4 192.0").closed());
  EXPECT_TRUE(counted("timeout", 2));
}

TEST_F(ProxiedClient, IsCountedAgainstTheLimitOfItsOwnAddress) {
  config.budgets.sessions_per_address_max = 1;
  start({proxied(ListenerKind::kInbound)});
  TestClient first = through_proxy(kStranger);
  EXPECT_THAT(first.reply(), StartsWith("220 "));
  EXPECT_THAT(through_proxy(kStranger).reply(), StartsWith("421 4.7.0 "));
  EXPECT_THAT(through_proxy(kClient).reply(), StartsWith("220 "));
}

TEST_F(ProxiedClient, ThatNobodyNamedYetIsCountedAndEndsWithADrain) {
  config.budgets.sessions_max = 1;
  start({proxied()});
  TestClient waiting(address());
  wait_until(
      [&] { return metrics.text().find("godwit_ingress_sessions 1\n") != std::string::npos; });
  EXPECT_TRUE(through_proxy(kClient).closed()) << "sessions_max";
  role->drain(std::chrono::steady_clock::now() + 30s);
  EXPECT_TRUE(waiting.closed());
}

async::Task<std::string> submit(async::Shard& shard, net::Address address,
                                net::TlsClientContext& tls) {
  const Instant deadline = std::chrono::steady_clock::now() + 30s;
  auto connected = co_await net::connect(shard, address, std::nullopt, deadline);
  if (!connected) co_return connected.error().to_string();
  net::Stream stream = *std::move(connected);
  (void)co_await stream.write(kClient, deadline);
  const auto secured = co_await stream.start_tls_client(
      tls, {.host = "mx.example", .trust = net::TlsTrust::kVerified}, deadline);
  if (!secured) co_return secured.error().to_string();
  (void)co_await stream.write(
      "EHLO client.example\r\nAUTH PLAIN AGZyZWQAaHVudGVyMg==\r\nMAIL FROM:<a@client.example>\r\n"
      "RCPT TO:<b@example.org>\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n",
      deadline);
  std::string text;
  char buffer[4096];
  while (true) {
    const auto count = co_await stream.read_some(buffer, deadline);
    if (!count || *count == 0) co_return text;
    text.append(buffer, *count);
  }
}

TEST_F(ProxiedClient, SpeaksTlsBehindTheHeader) {
  make_certificate();
  SmtpListenerConfig config = proxied(ListenerKind::kSubmission);
  config.tls = ListenerTls::kImplicit;
  start({config});
  const auto tls =
      net::TlsClientContext::create({.ca_file = this->config.tls.certificate.string()});
  ASSERT_TRUE(tls);
  async::TestLoop loop;
  EXPECT_THAT(loop.run(submit(loop.shard(), address(), **tls)), HasSubstr("250 2.0.0 Ok: queued"));
  ASSERT_EQ(messages().size(), 1u);
  EXPECT_EQ(messages().at(0).head.origin().address(), "192.0.2.7");
  // The handshake alone is no header.
  EXPECT_TRUE(through_proxy("\x16\x03\x01\x02\x01\x01\x01\x01\xfc\x03\x03\x01").closed());
  EXPECT_TRUE(counted("malformed", 1));
}

}  // namespace
}  // namespace godwit::ingress
