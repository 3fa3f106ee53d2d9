// Listeners with TLS, and what a start refuses.
#include "ingress/test_role.h"

namespace godwit::ingress {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::IngressTest;
using testing::listener;
using ::testing::StartsWith;
using testing::TestClient;

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
                                         net::TlsClientContext& tls, bool implicit,
                                         std::string host = "mx.example") {
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
      tls, {.host = std::move(host), .trust = net::TlsTrust::kVerified}, deadline);
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

TEST_F(IngressTest, TheServerNameChoosesTheCertificateAndReloadReadsThemAll) {
  make_certificate();
  const CertificateConfig other = make_certificate("other", "smtp.acme.example");
  config.tls.others = {other};
  start(ListenerKind::kSubmission);
  const auto submit = [&](const CertificateConfig& trusted, const std::string& host) {
    const auto tls = net::TlsClientContext::create({.ca_file = trusted.certificate.string()});
    EXPECT_TRUE(tls);
    async::TestLoop loop;
    return loop.run(submit_over_tls(loop.shard(), address(), **tls, false, host));
  };
  const CertificateConfig main{config.tls.certificate, config.tls.key};
  EXPECT_THAT(submit(main, "mx.example"), StartsWith("250 2.0.0 "));
  EXPECT_THAT(submit(other, "smtp.acme.example"), StartsWith("250 2.0.0 "));
  EXPECT_THAT(submit(main, "smtp.acme.example"), Not(StartsWith("250 2.0.0 ")));
  (void)make_certificate("other", "smtp.free.example");
  EXPECT_THAT(submit(other, "smtp.free.example"), Not(StartsWith("250 2.0.0 ")));
  ASSERT_TRUE(role->reload());
  EXPECT_THAT(submit(other, "smtp.free.example"), StartsWith("250 2.0.0 "));
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
  auto without = make_ingress(context(), config, {});
  EXPECT_THAT(without->start().error().to_string(), HasSubstr("names no certificate"));
  config.tls = {"/nowhere/tls.crt", "/nowhere/tls.key", {}};
  auto missing = make_ingress(context(), config, {});
  EXPECT_THAT(missing->start().error().to_string(), HasSubstr("/nowhere/tls.crt"));
}

}  // namespace
}  // namespace godwit::ingress
