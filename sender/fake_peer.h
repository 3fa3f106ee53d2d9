#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/net/address.h"

namespace godwit::sender {

// A mail host that does what a test says: an SMTP server on a loopback port, on blocking sockets and threads of
// its own, sharing no code with the client it tests.
//
// Lifecycle  serves from construction to destruction, which ends its sessions
// Threads    on_command and the counters' readers: any
class FakePeer {
 public:
  enum class Stage { kBanner, kEhlo, kMail, kRcpt, kData, kDot };

  // What to answer: empty: the usual reply; kClose: close at once; kHang: nothing, until the client goes; else
  // the reply, with or without CRLF. `argument` is the line, or the content at kDot.
  static constexpr const char* kClose = "<close>";
  static constexpr const char* kHang = "<hang>";
  using Script =
      std::function<std::string(Stage stage, const std::string& argument, int connection)>;

  struct Mail {
    std::string sender;
    std::vector<std::string> recipients;  // that were taken
    std::string content;                  // in wire form, without the final dot
    int connection = 0;
    std::chrono::steady_clock::time_point at;
  };

  explicit FakePeer(Script script = {},
                    std::vector<std::string> features = {"PIPELINING", "8BITMIME", "SMTPUTF8",
                                                         "ENHANCEDSTATUSCODES"},
                    std::string address = "127.0.0.1");
  ~FakePeer();
  FakePeer(const FakePeer&) = delete;
  FakePeer& operator=(const FakePeer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Mail that was answered with 250, oldest first.
  [[nodiscard]] std::vector<Mail> mails() const;
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int connections_open_max() const { return open_max_; }
  // MAIL commands seen, with their times.
  [[nodiscard]] std::vector<std::chrono::steady_clock::time_point> mail_times() const;
  // Refuses connections from here on.
  void stop_listening();

 private:
  struct Session;
  void accept_loop();
  void serve(int socket, int connection);

  Script script_;
  std::vector<std::string> features_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  std::atomic<int> open_{0};
  std::atomic<int> open_max_{0};
  mutable std::mutex mutex_;
  std::vector<Mail> mails_;
  std::vector<std::chrono::steady_clock::time_point> mail_times_;
  std::vector<int> sockets_;
  std::vector<std::thread> sessions_;
  std::thread acceptor_;
};

}  // namespace godwit::sender
