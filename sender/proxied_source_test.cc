// Sources whose addresses a proxy has.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <mutex>
#include <thread>

#include "common/net/proxy_header.h"
#include "common/net/socket.h"
#include "sender/role_test_support.h"

namespace godwit::sender {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Takes connections with a PROXY header and passes them on to `host`, whatever the header names; it
// keeps what it was told, octet by octet. One connection after another.
class FakeProxy {
 public:
  // After the header of `header_bytes`: as a proxy that reaches the host, one that cannot, and one
  // that tries for ever.
  enum class Manner { kPassOn, kClose, kSilence };

  FakeProxy(std::size_t header_bytes, std::uint16_t host, Manner manner = Manner::kPassOn)
      : header_bytes_(header_bytes),
        host_(host),
        manner_(manner),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    net::SocketAddress name = net::SocketAddress::of({net::IpAddress::loopback(), 0});
    EXPECT_EQ(::bind(listener_.get(), name.get(), name.length), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    ::getsockname(listener_.get(), name.get(), &name.length);
    address_ = name.address();
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeProxy() {
    stop();
    thread_.join();
  }
  FakeProxy(const FakeProxy&) = delete;
  FakeProxy& operator=(const FakeProxy&) = delete;

  [[nodiscard]] std::string address() const { return address_.to_text(); }
  [[nodiscard]] std::vector<std::string> headers() const {
    const std::lock_guard lock(mutex_);
    return headers_;
  }
  void stop() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
  }

 private:
  void serve() {
    while (!stopping_) {
      net::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      std::string header(header_bytes_, '\0');
      const ssize_t count = ::recv(client.get(), header.data(), header.size(), MSG_WAITALL);
      header.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
      {
        const std::lock_guard lock(mutex_);
        headers_.push_back(header);
      }
      if (manner_ == Manner::kClose) continue;
      net::Fd host(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      net::SocketAddress name = net::SocketAddress::of({net::IpAddress::loopback(), host_});
      if (manner_ == Manner::kPassOn) EXPECT_EQ(::connect(host.get(), name.get(), name.length), 0);
      pump(client.get(), manner_ == Manner::kPassOn ? host.get() : -1);
    }
  }
  // Until one of them, or the test, ends.
  void pump(int client, int host) const {
    while (!stopping_) {
      pollfd both[] = {{.fd = client, .events = POLLIN, .revents = 0},
                       {.fd = host, .events = POLLIN, .revents = 0}};
      ::poll(both, 2, 20);
      for (const pollfd& one : both) {
        if (one.revents == 0) continue;
        char octets[4096];
        const ssize_t count = ::recv(one.fd, octets, sizeof octets, 0);
        if (count <= 0) return;
        const int to = one.fd == client ? host : client;
        if (::send(to, octets, static_cast<std::size_t>(count), MSG_NOSIGNAL) != count) return;
      }
    }
  }

  const std::size_t header_bytes_;
  const std::uint16_t host_;
  const Manner manner_;
  net::Fd listener_;
  net::Address address_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> headers_;
  std::thread thread_;
};

constexpr std::size_t kHeader4 = 28;
constexpr std::size_t kHeader6 = 52;

// Mail of all domains for a host that no test could reach, from a source that is not ours.
void route(FakeMailSystem& system, const std::string& to, control::Source source) {
  system.config.routes = {{.domain = "*", .to = to}};
  source.name = SourceName("default");
  system.control.sources["default"] = std::move(source);
}

TEST(ProxiedSource, IsNamedInFrontOfTheSession) {
  FakePeer host;
  FakeProxy proxy(kHeader4, host.port());
  FakeMailSystem system;
  route(system, "192.0.2.25:2500",
        {.address = "198.51.100.7", .proxy = {.address = proxy.address()}});
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_THAT(proxy.headers(),
              ElementsAre(net::proxy_v2_header({*net::Address::from_text("198.51.100.7:0"),
                                                *net::Address::from_text("192.0.2.25:2500")})));
  EXPECT_EQ(host.mails().size(), 1u);
  EXPECT_EQ(system.events().front().head.remote().address(), "192.0.2.25:2500");
}

TEST(ProxiedSource, IsNamedByItsAddressOfTheHostsFamily) {
  FakePeer host;
  FakeProxy proxy(kHeader6, host.port());
  FakeMailSystem system;
  route(system, "[2001:db8::25]:2500",
        {.address = "198.51.100.7",
         .address6 = "2001:db8:1::7",
         .proxy = {.address = proxy.address()}});
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_THAT(proxy.headers(),
              ElementsAre(net::proxy_v2_header({*net::Address::from_text("[2001:db8:1::7]:0"),
                                                *net::Address::from_text("[2001:db8::25]:2500")})));
}

TEST(ProxiedSource, DoesNotTryAFamilyItHasNoAddressOf) {
  FakePeer host;
  FakeProxy proxy(kHeader4, host.port());
  FakeMailSystem system;
  route(system, "mail.internal:2500",
        {.address6 = "2001:db8:1::7", .proxy = {.address = proxy.address()}});
  system.dns.add_address("mail.internal", "192.0.2.25");
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DEFERRED) == 1);
  EXPECT_THAT(proxy.headers(), IsEmpty());
}

// What a proxy cannot reach, and a proxy that is not there, are as a host that is not there.
TEST(ProxiedSource, WithoutAWayIsDeferredAsAConnectionThatFailed) {
  FakePeer host;
  FakeProxy closes(kHeader4, host.port(), FakeProxy::Manner::kClose);
  FakeProxy silent(kHeader4, host.port(), FakeProxy::Manner::kSilence);
  FakeProxy gone(kHeader4, host.port());
  gone.stop();
  const struct {
    std::string proxy;
    std::string text;
  } cases[] = {{closes.address(), "the peer closed the connection"},
               {silent.address(), "timed out"},
               {gone.address(), ""}};
  for (const auto& one : cases) {
    FakeMailSystem system;
    system.config.timeouts.connect = 300ms;
    system.config.timeouts.banner = 300ms;
    route(system, "192.0.2.25:2500", {.address = "198.51.100.7", .proxy = {.address = one.proxy}});
    system.start();
    system.put({});
    EVENTUALLY(system.events().size() == 1);
    EXPECT_THAT(system.story(), ElementsAre("deferred one@a.example 0 connect"));
    const v1::Event event = system.events().front().head;
    EXPECT_EQ(event.class_(), "no-answer-from-host");
    EXPECT_THAT(event.reply().text(), HasSubstr("connect to 192.0.2.25[192.0.2.25:2500] by proxy " +
                                                one.proxy + ": " + one.text));
  }
}

TEST(ProxiedSource, ReachesThisMachineByItself) {
  FakePeer host;
  FakeProxy proxy(kHeader4, host.port());
  FakeMailSystem system;
  route(system, "127.0.0.1:" + std::to_string(host.port()),
        {.address = "198.51.100.7", .proxy = {.address = proxy.address()}});
  system.start();
  system.put({});
  EVENTUALLY(system.count(v1::DELIVERED) == 1);
  EXPECT_THAT(proxy.headers(), IsEmpty());
}

TEST(ProxiedSource, IsNotWaitedForByADrain) {
  FakePeer host;
  FakeProxy silent(kHeader4, host.port(), FakeProxy::Manner::kSilence);
  FakeMailSystem system;
  route(system, "192.0.2.25:2500",
        {.address = "198.51.100.7", .proxy = {.address = silent.address()}});
  system.start();
  system.put({});
  EVENTUALLY(silent.headers().size() == 1);
  const auto began = std::chrono::steady_clock::now();
  system.stop(20s);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 15s);
  EXPECT_THAT(system.story(), IsEmpty()) << "it says nothing about the host";
}

}  // namespace
}  // namespace godwit::sender
