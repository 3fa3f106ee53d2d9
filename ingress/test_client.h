#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <string_view>

#include "common/net/address.h"
#include "common/net/socket.h"

// An SMTP client of the tests: a blocking socket, no protocol machine of ours.
namespace godwit::ingress::testing {

class TestClient {
 public:
  explicit TestClient(const net::Address& address)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    net::SocketAddress name = net::SocketAddress::of(address);
    EXPECT_EQ(::connect(socket_.get(), name.get(), name.length), 0);
  }
  // Connects and takes the greeting.
  static TestClient greeted(const net::Address& address) {
    TestClient client(address);
    EXPECT_EQ(client.reply().substr(0, 4), "220 ");
    return client;
  }

  void send(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t sent = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server hung up: what it said is what the test looks at
      octets.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // One whole reply, lines joined by "\n"; what came before the end of the connection otherwise.
  std::string reply() {
    std::string text;
    for (;;) {
      const auto end = received_.find("\r\n");
      if (end == std::string::npos) {
        if (!receive()) return text + received_;
        continue;
      }
      const std::string line = received_.substr(0, end);
      received_.erase(0, end + 2);
      text += (text.empty() ? "" : "\n") + line;
      if (line.size() < 4 || line[3] != '-') return text;
    }
  }
  std::string ask(std::string_view line) {
    send(std::string(line) + "\r\n");
    return reply();
  }
  // True when nothing can be read now.
  [[nodiscard]] bool silent() const {
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return received_.empty() && ::poll(&waiting, 1, 0) == 0;
  }
  // True when the server closes without another octet.
  bool closed() { return received_.empty() && !receive() && received_.empty(); }

 private:
  bool receive() {
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 30'000) != 1) {
      ADD_FAILURE() << "the server says nothing";
      return false;
    }
    char buffer[4096];
    const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  net::Fd socket_;
  std::string received_;
};

}  // namespace godwit::ingress::testing
