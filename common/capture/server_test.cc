#include "common/capture/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "common/async/blocking_pool.h"
#include "common/async/shard.h"
#include "common/base/manual_clock.h"
#include "common/base/test_directory.h"

namespace godwit::capture {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// A blocking SMTP client of its own: it shares no code with what it tests.
class Client {
 public:
  explicit Client(const net::Address& address)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.ip.to_text().c_str(), &name.sin_addr);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;

  void send(std::string_view octets) {
    ASSERT_EQ(::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(octets.size()));
  }
  // The last line of the next reply; empty: the connection ended.
  std::string reply() {
    for (;;) {
      const std::size_t end = input_.find("\r\n");
      if (end == std::string::npos) {
        char buffer[4096];
        const ssize_t read = ::recv(socket_, buffer, sizeof buffer, 0);
        if (read <= 0) return {};
        input_.append(buffer, static_cast<std::size_t>(read));
        continue;
      }
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 2);
      if (line.size() < 4 || line[3] != '-') return line;
    }
  }
  std::string ask(std::string_view command) {
    send(std::string(command) + "\r\n");
    return reply();
  }

 private:
  int socket_;
  std::string input_;
};

class Capture : public testing::Test {
 protected:
  net::Address start(Limits limits = {}) {
    store_ = *Store::open(directory_.path(), limits);
    shards_.start();
    server_ = std::make_unique<CaptureServer>(shards_, pool_, *store_, clock_);
    const auto address = server_->start();
    EXPECT_TRUE(address) << address.error().to_string();
    return *address;
  }
  void TearDown() override {
    server_.reset();
    shards_.stop();
  }
  static void begin(Client& client) {
    EXPECT_THAT(client.reply(), StartsWith("220 "));
    EXPECT_THAT(client.ask("EHLO mta.example"), StartsWith("250 "));
  }

  TestDirectory directory_;
  ManualClock clock_;
  async::Shards shards_{2};
  async::BlockingPool pool_{"capture", 1, 100};
  std::unique_ptr<Store> store_;
  std::unique_ptr<CaptureServer> server_;
};

TEST_F(Capture, ListensOnLoopbackOnly) {
  EXPECT_TRUE(start().ip.is_loopback());
}

TEST_F(Capture, KeepsAMailAsItWasMeant) {
  Client client(start());
  begin(client);
  EXPECT_THAT(client.ask("MAIL FROM:<s@example.net> BODY=8BITMIME ENVID=x RET=HDRS"),
              StartsWith("250 "));
  EXPECT_THAT(client.ask("RCPT TO:<a@example.org>"), StartsWith("250 "));
  EXPECT_THAT(client.ask("RCPT TO:<b@example.com>"), StartsWith("250 "));
  EXPECT_THAT(client.ask("DATA"), StartsWith("354 "));
  const std::string done = client.ask("Subject: hi\r\n\r\n..stuffed\r\n..\r\nend\r\n.");
  EXPECT_THAT(done, StartsWith("250 2.0.0 Ok: captured as "));
  EXPECT_THAT(client.ask("QUIT"), StartsWith("221 "));

  const auto id = CaptureId::from_text(done.substr(done.rfind(' ') + 1));
  ASSERT_TRUE(id);
  const Reader reader(directory_.path());
  EXPECT_EQ(reader.octets(*id).value_or(""), "Subject: hi\r\n\r\n.stuffed\r\n.\r\nend\r\n");
  const auto mail = reader.metadata(*id);
  ASSERT_TRUE(mail);
  EXPECT_EQ(mail->sender, "s@example.net");
  EXPECT_THAT(mail->recipients, ElementsAre("a@example.org", "b@example.com"));
  EXPECT_EQ(mail->helo, "mta.example");
  EXPECT_EQ(mail->parameters, "BODY=8BITMIME RET=HDRS ENVID=x");
  EXPECT_EQ(mail->subject, "hi");
  EXPECT_EQ(mail->time, clock_.now());
  EXPECT_THAT(mail->client, StartsWith("127.0.0.1:"));
}

TEST_F(Capture, KeepsPipelinedMailsAndForgetsWhatWasReset) {
  Client client(start());
  begin(client);
  client.send(
      "MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRSET\r\n"
      "MAIL FROM:<s@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
  for (const char* expected : {"250", "250", "250", "250", "250", "354"}) {
    EXPECT_THAT(client.reply(), StartsWith(expected));
  }
  client.send("1\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n");
  for (const char* expected : {"250", "250", "250", "354"}) {
    EXPECT_THAT(client.reply(), StartsWith(expected));
  }
  EXPECT_THAT(client.ask("2\r\n."), StartsWith("250"));
  const auto listing = Reader(directory_.path()).list(0, 10);
  ASSERT_EQ(listing->total, 2u);
  EXPECT_EQ(listing->mails[0].sender, "");
  EXPECT_THAT(listing->mails[1].recipients, ElementsAre("b@example.org"));
}

TEST_F(Capture, TakesBdatWithoutDotsMeaningAnything) {
  Client client(start());
  begin(client);
  (void)client.ask("MAIL FROM:<s@example.net>");
  (void)client.ask("RCPT TO:<a@example.org>");
  client.send("BDAT 7\r\n..one\r\nBDAT 3 LAST\r\n.\r\n");
  EXPECT_THAT(client.reply(), StartsWith("250"));
  const std::string done = client.reply();
  ASSERT_THAT(done, StartsWith("250 2.0.0 Ok: captured as "));
  const auto id = CaptureId::from_text(done.substr(done.rfind(' ') + 1));
  EXPECT_EQ(Reader(directory_.path()).octets(*id).value_or(""), "..one\r\n.\r\n");
}

TEST_F(Capture, SaysItsSizeAndRefusesMore) {
  Client client(start({.bytes_max = 100}));
  begin(client);
  EXPECT_THAT(client.ask("MAIL FROM:<s@example.net> SIZE=101"), StartsWith("552 "));
}

TEST_F(Capture, ADirectoryThatFailsIsTemporary) {
  Client client(start());
  begin(client);
  std::filesystem::remove_all(directory_.path());
  (void)client.ask("MAIL FROM:<s@example.net>");
  (void)client.ask("RCPT TO:<a@example.org>");
  (void)client.ask("DATA");
  EXPECT_THAT(client.ask("x\r\n."), StartsWith("451 4.3.0 "));
}

TEST_F(Capture, StopEndsSessionsThatAreOpen) {
  Client idle(start());
  begin(idle);
  server_->stop();
  EXPECT_EQ(idle.reply(), "");
  server_->stop();  // again is nothing
}

}  // namespace
}  // namespace godwit::capture
