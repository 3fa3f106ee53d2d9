#include "common/net/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdio>
#include <random>

#include "common/base/test_directory.h"
#include "common/net/test_support.h"

namespace godwit::net {
namespace {

using namespace testing;
using async::Task;
using async::TestLoop;

// Certificate and key by the openssl command: files as an operator has them. `host` may be a list,
// "a.test,DNS:b.test".
TlsServerFiles make_files(const TestDirectory& folder, const std::string& name,
                          const std::string& host, const std::string& more = "-nodes") {
  const TlsServerFiles files{folder / (name + ".crt"), folder / (name + ".key")};
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 30 -subj '/CN=" +
      host.substr(0, host.find(',')) + "'" + " -addext 'subjectAltName=DNS:" + host + "' -keyout " +
      files.key + " -out " + files.certificate + " " + more + " 2>/dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
  return files;
}

Task<void> store(Task<Result<void>> task, std::optional<Result<void>>& out) {
  out = co_await std::move(task);
}

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server = *TlsServerContext::self_signed("mx.example.test");
    const std::string roots = folder.write("roots.pem", server->certificate_pem());
    trusting = *TlsClientContext::create({.ca_file = roots});
    client = *TlsClientContext::create();
  }

  struct Outcome {
    Result<void> server;
    Result<void> client;
  };
  Outcome handshake(Pair& pair, TlsServerContext& by, TlsClientContext& with, TlsPeer peer) {
    std::optional<Result<void>> accepted;
    loop.spawn(store(pair.server.start_tls_server(by, soon()), accepted));
    Result<void> connected = loop.run(pair.client.start_tls_client(with, std::move(peer), soon()));
    if (!connected) pair.client.close();
    loop.drive([&] { return accepted.has_value(); });
    return {*accepted, connected};
  }
  // A round trip, in which session tickets arrive too.
  void exchange(Pair& pair) {
    ASSERT_TRUE(loop.run(pair.server.write("220 hello\r\n", soon())));
    ASSERT_EQ(*loop.run(read_exactly(pair.client, 11, soon())), "220 hello\r\n");
    ASSERT_TRUE(loop.run(pair.client.write("QUIT\r\n", soon())));
    ASSERT_EQ(*loop.run(read_exactly(pair.server, 6, soon())), "QUIT\r\n");
  }

  TestDirectory folder;
  std::shared_ptr<TlsServerContext> server;
  std::shared_ptr<TlsClientContext> trusting;
  std::shared_ptr<TlsClientContext> client;
  TestLoop loop;
};

TEST_F(TlsTest, BothSidesKnowWhatWasAgreed) {
  Pair pair(loop.shard());
  const Outcome outcome = handshake(pair, *server, *trusting, {.host = "mx.example.test"});
  ASSERT_TRUE(outcome.server && outcome.client);
  EXPECT_EQ(pair.client.tls()->version, "TLSv1.3");
  EXPECT_EQ(pair.client.tls()->cipher, pair.server.tls()->cipher);
  EXPECT_GE(pair.client.tls()->cipher_bits, 128);
  EXPECT_TRUE(pair.client.tls()->verified) << pair.client.tls()->verify_error;
  EXPECT_EQ(pair.client.tls()->peer_subject, "/CN=mx.example.test");
  EXPECT_EQ(pair.server.tls()->server_name, "mx.example.test");
  EXPECT_FALSE(pair.client.tls()->resumed);
  exchange(pair);
}

TEST_F(TlsTest, OpportunisticTakesAnyCertificateAndSaysSo) {
  const struct {
    TlsClientContext& context;
    const char* host;
  } cases[] = {
      {*client, "mx.example.test"}, {*trusting, "other.example.test"}, {*trusting, "127.0.0.1"}};
  for (const auto& c : cases) {
    Pair pair(loop.shard());
    const Outcome outcome = handshake(pair, *server, c.context, {.host = c.host});
    ASSERT_TRUE(outcome.server && outcome.client) << c.host;
    EXPECT_FALSE(pair.client.tls()->verified) << c.host;
    EXPECT_FALSE(pair.client.tls()->verify_error.empty());
    exchange(pair);
  }
}

TEST_F(TlsTest, RequiredTrustRefusesUnknownIssuersAndOtherNames) {
  {
    Pair pair(loop.shard());
    const auto trust = TlsTrust::kVerified;
    EXPECT_TRUE(
        handshake(pair, *server, *trusting, {.host = "mx.example.test", .trust = trust}).client);
    exchange(pair);
  }
  const struct {
    TlsClientContext& context;
    const char* host;
  } cases[] = {
      {*client, "mx.example.test"}, {*trusting, "other.example.test"}, {*trusting, "127.0.0.1"}};
  for (const auto& c : cases) {
    Pair pair(loop.shard());
    const Outcome outcome =
        handshake(pair, *server, c.context, {.host = c.host, .trust = TlsTrust::kVerified});
    EXPECT_EQ(code_of(outcome.client), Errc::kTlsUntrusted) << c.host;
  }
}

TEST_F(TlsTest, MuchGoesBothWaysAtOnce) {
  Pair pair(loop.shard());
  ASSERT_TRUE(handshake(pair, *server, *client, {.host = "mx.example.test"}).client);
  std::mt19937_64 random(11);
  Rope rope;
  for (int i = 0; i < 200; ++i)
    rope.append(Bytes::adopt(std::string(random() % 40'000, static_cast<char>(i))));
  const std::string expected = rope.to_string();
  std::optional<Result<void>> up;
  std::optional<Result<void>> down;
  loop.spawn(store(pair.client.write(rope, soon()), up));
  loop.spawn(store(pair.server.write(expected, soon()), down));
  const Result<std::string> at_server =
      loop.run(read_exactly(pair.server, expected.size(), soon()));
  const Result<std::string> at_client =
      loop.run(read_exactly(pair.client, expected.size(), soon()));
  loop.drive([&] { return up && down; });
  EXPECT_TRUE(*up && *down);
  EXPECT_TRUE(at_server && *at_server == expected);
  EXPECT_TRUE(at_client && *at_client == expected);
}

TEST_F(TlsTest, WaitingAndPendingWorkOnWhatIsDecrypted) {
  Pair pair(loop.shard());
  ASSERT_TRUE(handshake(pair, *server, *client, {.host = "mx.example.test"}).client);
  exchange(pair);
  EXPECT_EQ(pair.client.pending(), Stream::Pending::kNothing) << "a session ticket is no data";
  EXPECT_EQ(code_of(loop.run(pair.client.wait_readable(in(20ms)))), Errc::kTimeout);
  ASSERT_TRUE(loop.run(pair.server.write("421 idle\r\n", soon())));
  ASSERT_TRUE(loop.run(pair.client.wait_readable(soon())));
  EXPECT_EQ(pair.client.pending(), Stream::Pending::kData);
  EXPECT_EQ(*loop.run(read_exactly(pair.client, 3, soon())), "421");
  ASSERT_TRUE(loop.run(pair.client.wait_readable(soon()))) << "the rest of the record";
  EXPECT_EQ(*loop.run(read_exactly(pair.client, 7, soon())), " idle\r\n");
  pair.server.close();
  ASSERT_TRUE(loop.run(pair.client.wait_readable(soon())));
  EXPECT_EQ(pair.client.pending(), Stream::Pending::kEnd);
}

TEST_F(TlsTest, TheEndIsZeroInOrderOrCut) {
  for (const bool in_order : {true, false}) {
    Pair pair(loop.shard());
    ASSERT_TRUE(handshake(pair, *server, *client, {.host = "mx.example.test"}).client);
    exchange(pair);
    if (in_order) {
      ASSERT_TRUE(loop.run(pair.server.shutdown_write(soon())));
      std::array<char, 8> buffer;
      EXPECT_EQ(*loop.run(pair.client.read_some(buffer, soon())), 0U);
      ASSERT_TRUE(loop.run(pair.client.write("still here", soon()))) << "half closed";
      EXPECT_EQ(*loop.run(read_exactly(pair.server, 10, soon())), "still here");
    } else {
      pair.server.close();
      std::array<char, 8> buffer;
      EXPECT_EQ(*loop.run(pair.client.read_some(buffer, soon())), 0U);
    }
  }
}

// --- what goes wrong -----------------------------------------------------------------------------

TEST_F(TlsTest, PlaintextBehindStartTlsIsNoticedByTheClient) {
  HalfPair half(loop.shard());
  half.say("250 injected\r\n");
  ASSERT_TRUE(loop.run(half.stream.wait_readable(soon())));
  const auto result =
      loop.run(half.stream.start_tls_client(*client, {.host = "mx.example.test"}, soon()));
  EXPECT_EQ(code_of(result), Errc::kTlsInjected);
}

TEST_F(TlsTest, PlaintextInsteadOfAHandshakeIsRefusedByTheServer) {
  HalfPair half(loop.shard());
  half.say("RSET\r\nMAIL FROM:<evil@example.test>\r\n");
  EXPECT_EQ(code_of(loop.run(half.stream.start_tls_server(*server, soon()))), Errc::kTls);
}

TEST_F(TlsTest, PlaintextInsteadOfAHandshakeIsRefusedByTheClient) {
  HalfPair half(loop.shard());
  std::optional<Result<void>> result;
  loop.spawn(
      store(half.stream.start_tls_client(*client, {.host = "mx.example.test"}, soon()), result));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  half.say("454 TLS not available\r\n");
  loop.drive([&] { return result.has_value(); });
  EXPECT_EQ(code_of(*result), Errc::kTls);
}

TEST_F(TlsTest, HandshakeDeadlines) {
  HalfPair at_server(loop.shard());
  EXPECT_EQ(code_of(loop.run(at_server.stream.start_tls_server(*server, in(30ms)))),
            Errc::kTimeout);
  HalfPair at_client(loop.shard());
  EXPECT_EQ(
      code_of(loop.run(at_client.stream.start_tls_client(*client, {.host = "a.test"}, in(30ms)))),
      Errc::kTimeout);
}

TEST_F(TlsTest, ThePeerLeavesInTheHandshake) {
  for (const bool reset : {false, true}) {
    HalfPair half(loop.shard());
    std::optional<Result<void>> result;
    loop.spawn(store(half.stream.start_tls_server(*server, soon()), result));
    for (int i = 0; i < 3; ++i) loop.shard().poll();
    reset ? half.reset() : half.peer.reset();
    loop.drive([&] { return result.has_value(); });
    EXPECT_EQ(code_of(*result), reset ? Errc::kReset : Errc::kPeerClosed);
  }
}

TEST_F(TlsTest, CloseWakesAHandshake) {
  HalfPair half(loop.shard());
  std::optional<Result<void>> result;
  loop.spawn(store(half.stream.start_tls_server(*server, soon()), result));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  half.stream.close();
  loop.drive([&] { return result.has_value(); });
  EXPECT_EQ(code_of(*result), Errc::kClosed);
}

TEST_F(TlsTest, DeadlinesOfReadAndWrite) {
  Pair pair(loop.shard());
  ASSERT_TRUE(handshake(pair, *server, *client, {.host = "mx.example.test"}).client);
  exchange(pair);
  std::array<char, 8> buffer;
  EXPECT_EQ(code_of(loop.run(pair.client.read_some(buffer, in(20ms)))), Errc::kTimeout);
  EXPECT_EQ(code_of(loop.run(pair.client.write(std::string(64 << 20, 'x'), in(50ms)))),
            Errc::kTimeout);
}

TEST_F(TlsTest, OldProtocolsAreRefused) {
  HalfPair half(loop.shard());
  std::optional<Result<void>> result;
  loop.spawn(store(half.stream.start_tls_server(*server, soon()), result));
  std::thread peer([fd = half.peer.get()] {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    EXPECT_NE(SSL_connect(ssl), 1);
    SSL_free(ssl);
    SSL_CTX_free(context);
  });
  loop.drive([&] { return result.has_value(); });
  half.stream.close();
  peer.join();
  EXPECT_EQ(code_of(*result), Errc::kTls);
}

// --- sessions and reload -------------------------------------------------------------------------

TEST_F(TlsTest, SessionsAreResumedWithinTheirRealmOnly) {
  const TlsPeer peer{.host = "mx.example.test", .realm = "source-a"};
  const auto resumed = [&](const TlsPeer& asked) {
    Pair pair(loop.shard());
    EXPECT_TRUE(handshake(pair, *server, *trusting, asked).client);
    exchange(pair);
    EXPECT_EQ(pair.client.tls()->resumed, pair.server.tls()->resumed);
    EXPECT_EQ(pair.client.tls()->verified, asked.host == "mx.example.test");
    return pair.client.tls()->resumed;
  };
  EXPECT_FALSE(resumed(peer));
  EXPECT_EQ(trusting->sessions(), 1U);
  EXPECT_TRUE(resumed(peer));
  EXPECT_TRUE(resumed(peer));
  EXPECT_FALSE(resumed({.host = "mx.example.test", .realm = "source-b"}));
  EXPECT_FALSE(resumed({.host = "other.example.test", .realm = "source-a"}));
  EXPECT_FALSE(
      resumed({.host = "mx.example.test", .trust = TlsTrust::kVerified, .realm = "source-a"}));
}

TEST_F(TlsTest, SessionsRememberedAreBounded) {
  const auto small = *TlsClientContext::create({.sessions_max = 2});
  for (const char* host : {"a.test", "b.test", "c.test"}) {
    Pair pair(loop.shard());
    ASSERT_TRUE(handshake(pair, *server, *small, {.host = host}).client);
    exchange(pair);
  }
  EXPECT_EQ(small->sessions(), 2U);
}

TEST_F(TlsTest, ReloadSwapsTheCertificateAndKeepsTickets) {
  const TlsServerFiles files = make_files(folder, "server", "old.example.test");
  const auto reloaded = TlsServerContext::load(files);
  ASSERT_TRUE(reloaded) << reloaded.error().to_string();
  const auto subject = [&](const char* realm) {
    Pair pair(loop.shard());
    EXPECT_TRUE(
        handshake(pair, **reloaded, *client, {.host = "mx.example.test", .realm = realm}).client);
    exchange(pair);
    return std::pair(pair.client.tls()->peer_subject, pair.client.tls()->resumed);
  };
  EXPECT_EQ(subject("a"), std::pair(std::string("/CN=old.example.test"), false));
  Pair under_way(loop.shard());
  ASSERT_TRUE(
      handshake(under_way, **reloaded, *client, {.host = "mx.example.test", .realm = "b"}).client);

  make_files(folder, "server", "new.example.test");
  ASSERT_TRUE((*reloaded)->reload());
  EXPECT_EQ(subject("c").first, "/CN=new.example.test");
  EXPECT_TRUE(subject("a").second) << "the ticket of before the reload";
  exchange(under_way);

  folder.write("server.key", "no key");
  const auto bad = (*reloaded)->reload();
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().context.find("server.key"), std::string::npos);
  EXPECT_EQ(subject("d").first, "/CN=new.example.test") << "nothing changed";
}

TEST_F(TlsTest, TheServerNameChoosesTheCertificate) {
  const TlsServerFiles main = make_files(folder, "main", "mx.main.test");
  const TlsServerFiles other = make_files(folder, "other", "MX.Other.test,DNS:smtp.other.test");
  const TlsServerFiles wide = make_files(folder, "wide", "*.wide.test,DNS:*.main.test");
  const TlsServerFiles late = make_files(folder, "late", "one.wide.test,DNS:mx.other.test");
  const auto many = TlsServerContext::load(main, {other, wide, late});
  ASSERT_TRUE(many) << many.error().to_string();
  const auto subject_for = [&](TlsServerContext& by, const std::string& name) {
    const auto fresh = *TlsClientContext::create();
    Pair pair(loop.shard());
    const Outcome outcome = handshake(pair, by, *fresh, {.host = name});
    EXPECT_TRUE(outcome.server && outcome.client) << name;
    exchange(pair);
    return pair.client.tls()->peer_subject;
  };
  const struct {
    const char* name;
    const char* subject;
  } cases[] = {
      {"mx.main.test", "/CN=mx.main.test"},  // by name, before a wildcard of another
      {"two.main.test", "/CN=*.wide.test"},
      {"mx.other.test", "/CN=MX.Other.test"},  // the first that has it
      {"SMTP.OTHER.TEST", "/CN=MX.Other.test"},
      {"two.wide.test", "/CN=*.wide.test"},
      {"one.wide.test", "/CN=one.wide.test"},   // a name of its own
      {"a.two.wide.test", "/CN=mx.main.test"},  // a wildcard is one label
      {"wide.test", "/CN=mx.main.test"},
      {"nobody.test", "/CN=mx.main.test"},
      {"localhost", "/CN=mx.main.test"},
      {"127.0.0.1", "/CN=mx.main.test"},  // says no name
  };
  for (const auto& c : cases) EXPECT_EQ(subject_for(**many, c.name), c.subject) << c.name;

  // All of them are read again, or none.
  (void)make_files(folder, "other", "renamed.test");
  folder.write("late.key", "nonsense");
  const Result<void> failed = (*many)->reload();
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().context.find(late.key), std::string::npos) << failed.error().context;
  EXPECT_EQ(subject_for(**many, "mx.other.test"), "/CN=MX.Other.test");
  (void)make_files(folder, "late", "late.test");
  ASSERT_TRUE((*many)->reload());
  EXPECT_EQ(subject_for(**many, "renamed.test"), "/CN=renamed.test");
  EXPECT_EQ(subject_for(**many, "mx.other.test"), "/CN=mx.main.test");
}

TEST_F(TlsTest, ATicketOfOneNameIsGoodAfterAReload) {
  const TlsServerFiles main = make_files(folder, "main", "mx.main.test");
  const TlsServerFiles other = make_files(folder, "other", "mx.other.test");
  const auto many = TlsServerContext::load(main, {other});
  ASSERT_TRUE(many) << many.error().to_string();
  for (const bool resumed : {false, true}) {
    Pair pair(loop.shard());
    ASSERT_TRUE(handshake(pair, **many, *client, {.host = "mx.other.test"}).client);
    EXPECT_EQ(pair.client.tls()->resumed, resumed);
    EXPECT_EQ(pair.server.tls()->server_name, "mx.other.test");
    exchange(pair);
    ASSERT_TRUE((*many)->reload());
  }
}

TEST_F(TlsTest, AHandshakeUnderWayOutlivesItsContext) {
  const TlsServerFiles main = make_files(folder, "main", "mx.main.test");
  const TlsServerFiles other = make_files(folder, "other", "mx.other.test");
  auto many = *TlsServerContext::load(main, {other});
  Pair pair(loop.shard());
  std::optional<Result<void>> accepted;
  loop.spawn(store(pair.server.start_tls_server(*many, soon()), accepted));
  for (int i = 0; i < 3; ++i) loop.shard().poll();
  many.reset();
  ASSERT_TRUE(loop.run(pair.client.start_tls_client(*client, {.host = "mx.other.test"}, soon())));
  loop.drive([&] { return accepted.has_value(); });
  ASSERT_TRUE(*accepted);
  EXPECT_EQ(pair.client.tls()->peer_subject, "/CN=mx.other.test");
}

TEST_F(TlsTest, BadFilesAreNamed) {
  const TlsServerFiles good = make_files(folder, "good", "a.test");
  const TlsServerFiles other = make_files(folder, "other", "b.test");
  const TlsServerFiles locked = make_files(folder, "locked", "c.test", "-passout pass:secret");
  const std::string text = folder.write("text.pem", "hello");
  const struct {
    TlsServerFiles files;
    std::string named;
  } cases[] = {
      {{"/nowhere/tls.crt", good.key}, "/nowhere/tls.crt"},
      {{good.certificate, "/nowhere/tls.key"}, "/nowhere/tls.key"},
      {{text, good.key}, text},
      {{good.certificate, text}, text},
      {{good.certificate, other.key}, other.key},
      {{locked.certificate, locked.key}, locked.key},
  };
  for (const auto& c : cases) {
    const auto context = TlsServerContext::load(c.files);
    ASSERT_FALSE(context) << c.named;
    EXPECT_EQ(context.error().code, Errc::kInvalid);
    EXPECT_NE(context.error().context.find(c.named), std::string::npos)
        << context.error().to_string();
  }
  EXPECT_FALSE(TlsClientContext::create({.ca_file = "/nowhere/roots.pem"}));
  EXPECT_GT((*TlsServerContext::load(good))->not_after(), std::time(nullptr) + 29 * 24 * 3600);
}

}  // namespace
}  // namespace godwit::net
