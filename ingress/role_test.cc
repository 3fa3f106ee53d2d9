// What the role keeps, and what it says.
#include "ingress/test_role.h"

namespace godwit::ingress {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::IngressTest;
using testing::kMail;
using testing::listener;
using ::testing::StartsWith;
using testing::TestClient;

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

TEST_F(IngressTest, WithoutItsBodyNoRecordIsWritten) {
  start(ListenerKind::kRelay);
  TestClient client = connect();
  std::string mail = "Subject: long\r\n\r\n";
  while (mail.size() < 700'000) mail += "line " + std::to_string(mail.size()) + "\r\n";
  log.fail_next(log::Errc::kUnavailable);
  EXPECT_THAT(send_message(client, mail), StartsWith("451 4.3.0 "));
  log.unknown_next(true);  // it may be there, and its offsets are not known
  EXPECT_THAT(send_message(client, mail), StartsWith("451 4.3.0 "));
  EXPECT_TRUE(messages().empty());
  EXPECT_THAT(send_message(client, mail), StartsWith("250 2.0.0 "));
  EXPECT_EQ(messages().size(), 1u);
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
              body.first_offset() + static_cast<log::Offset>(joined.size() / log::kBodyChunkBytes));
    EXPECT_EQ(chunk.key, message.message_id().octets());
    joined += chunk.value.to_string();
  }
  EXPECT_THAT(joined, ::testing::EndsWith(content));
  EXPECT_EQ(message.content.size(), joined.size());
  EXPECT_EQ(message.content.crc32c(), crc32c(joined));
}

TEST_F(IngressTest, ChunksOfOthersMayStandBetweenThoseOfABody) {
  log.interleave(log::Topic::kBodies);
  start(ListenerKind::kRelay);
  TestClient client = connect();
  std::string content = "Subject: long\r\n\r\n";
  while (content.size() < 1'300'000) content += "line " + std::to_string(content.size()) + "\r\n";
  ASSERT_THAT(send_message(client, content), StartsWith("250 2.0.0 "));
  const record::Message message = messages().at(0);
  EXPECT_EQ(record::body_offsets(message.content.body()).value(),
            (std::vector<log::Offset>{0, 2, 4}));
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

}  // namespace
}  // namespace godwit::ingress
