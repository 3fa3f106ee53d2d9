#include "sender/fake_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "common/base/check.h"

namespace godwit::sender {

namespace {

bool send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

FakePeer::FakePeer(Script script, std::vector<std::string> features, std::string address)
    : script_(std::move(script)), features_(std::move(features)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(listener_ >= 0, "socket");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  CHECK(::inet_pton(AF_INET, address.c_str(), &at.sin_addr) == 1, "{}", address);
  CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0, "bind: {}",
        std::strerror(errno));
  CHECK(::listen(listener_, 128) == 0, "listen");
  socklen_t length = sizeof at;
  CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &length) == 0, "getsockname");
  port_ = ntohs(at.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

FakePeer::~FakePeer() {
  stop_listening();
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& session : sessions_) session.join();
  for (const int socket : sockets_) ::close(socket);
}

void FakePeer::stop_listening() {
  if (stopping_.exchange(true)) return;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
}

std::vector<FakePeer::Mail> FakePeer::mails() const {
  const std::lock_guard lock(mutex_);
  return mails_;
}

std::vector<std::chrono::steady_clock::time_point> FakePeer::mail_times() const {
  const std::lock_guard lock(mutex_);
  return mail_times_;
}

void FakePeer::accept_loop() {
  while (!stopping_) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    const int number = ++connections_;
    const int open = ++open_;
    open_max_ = std::max(open_max_.load(), open);
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    sessions_.emplace_back([this, socket, number] {
      serve(socket, number);
      --open_;  // before the client can see the end
      ::shutdown(socket, SHUT_RDWR);
    });
  }
}

void FakePeer::serve(int socket, int connection) {
  std::string input;
  // One line, or everything up to `end`; empty when the client is gone.
  const auto read_to = [&](std::string_view end) -> std::string {
    for (;;) {
      const std::size_t at = input.find(end);
      if (at != std::string::npos) {
        std::string part = input.substr(0, at + end.size());
        input.erase(0, at + end.size());
        return part;
      }
      char buffer[4096];
      const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      input.append(buffer, static_cast<std::size_t>(got));
    }
  };
  // False: the session is over.
  std::string said;
  const auto answer = [&](Stage stage, const std::string& argument, std::string usual,
                          const std::function<void()>& before_sent = {}) {
    std::string reply = script_ ? script_(stage, argument, connection) : std::string();
    if (reply == kClose) return false;
    if (reply == kHang) {
      while (!read_to("\r\n").empty()) {
      }
      return false;
    }
    if (reply.empty()) reply = std::move(usual);
    if (!reply.ends_with("\r\n")) reply += "\r\n";
    said = reply;
    if (before_sent) before_sent();
    return send_all(socket, reply);
  };
  if (!answer(Stage::kBanner, {}, "220 peer.example ESMTP")) return;
  Mail mail;
  bool in_mail = false;
  for (;;) {
    std::string line = read_to("\r\n");
    if (line.empty()) return;
    line.resize(line.size() - 2);
    std::string verb = line.substr(0, line.find(' '));
    std::ranges::transform(verb, verb.begin(),
                           [](char c) { return static_cast<char>(std::toupper(c)); });
    const auto path = [&] {
      const std::size_t open = line.find('<');
      return line.substr(open + 1, line.find('>') - open - 1);
    };
    if (verb == "EHLO" || verb == "HELO") {
      std::string usual;
      if (verb == "HELO" || features_.empty()) {
        usual = "250 peer.example";
      } else {
        usual = "250-peer.example\r\n";
        for (std::size_t i = 0; i < features_.size(); ++i) {
          usual += (i + 1 == features_.size() ? "250 " : "250-") + features_[i] + "\r\n";
        }
      }
      if (!answer(Stage::kEhlo, line, usual)) return;
    } else if (verb == "MAIL") {
      {
        const std::lock_guard lock(mutex_);
        mail_times_.push_back(std::chrono::steady_clock::now());
      }
      mail = {.sender = path(), .connection = connection};
      if (!answer(Stage::kMail, line, "250 2.1.0 Ok")) return;
      in_mail = said.starts_with('2');
    } else if (verb == "RCPT") {
      if (!in_mail) {
        if (!send_all(socket, "503 5.5.1 MAIL first\r\n")) return;
        continue;
      }
      if (!answer(Stage::kRcpt, line, "250 2.1.5 Ok")) return;
      if (said.starts_with('2')) mail.recipients.push_back(path());
    } else if (verb == "DATA") {
      if (mail.recipients.empty()) {
        if (!send_all(socket, "554 5.5.1 No valid recipients\r\n")) return;
        continue;
      }
      if (!answer(Stage::kData, line, "354 End data with <CR><LF>.<CR><LF>")) return;
      if (!said.starts_with("354")) continue;
      mail.content.clear();
      for (std::string next = read_to("\r\n"); next != ".\r\n"; next = read_to("\r\n")) {
        if (next.empty()) return;
        mail.content += next;
      }
      // Kept before the reply: who sees the delivery ended finds the mail here.
      const auto keep = [&] {
        if (!said.starts_with("250")) return;
        mail.at = std::chrono::steady_clock::now();
        const std::lock_guard lock(mutex_);
        mails_.push_back(mail);
      };
      if (!answer(Stage::kDot, mail.content, "250 2.0.0 Ok: queued", keep)) return;
      mail.recipients.clear();
      in_mail = false;
    } else if (verb == "RSET" || verb == "NOOP") {
      if (!send_all(socket, "250 2.0.0 Ok\r\n")) return;
    } else if (verb == "QUIT") {
      send_all(socket, "221 2.0.0 Bye\r\n");
      return;
    } else {
      if (!send_all(socket, "500 5.5.2 What?\r\n")) return;
    }
  }
}

}  // namespace godwit::sender
