// How sessions end that do not end by themselves.
#include <thread>
#include <vector>

#include "ingress/test_role.h"

namespace godwit::ingress {
namespace {

using namespace std::chrono_literals;
using testing::IngressTest;
using testing::kMail;
using ::testing::StartsWith;
using testing::TestClient;

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

}  // namespace
}  // namespace godwit::ingress
