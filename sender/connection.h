#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "common/net/stream.h"
#include "common/smtp/client_session.h"
#include "sender/environment.h"
#include "sender/mx_plan.h"

namespace godwit::sender {

// The octets of one courier's connections, one after another: carries out what the session machine
// asks for, each step in its time (RFC 5321 s4.5.3.2), and knows what TLS the way demands.
//
// Errors    whatever ends a connection is told to the session, which has an outcome for it
// Threads   belongs to one shard
class Connection {
 public:
  // What does not change between the hosts of a plan.
  struct Way {
    SourceName source;
    const control::Source& egress;
    const control::Shaping& shaping;
    const control::StaticRoute* route = nullptr;
  };
  Connection(Environment& environment, Dispatch& dispatch, const Way& way)
      : env_(environment), dispatch_(dispatch), way_(way) {}

  // The next target; what an earlier one left is gone. By a proxy it is open when something came
  // from behind it: that connects after us, and has no other way to say that it could not than to
  // close (kPeerClosed) or to stay silent. Errors: net::Errc; kClosed at once when the partition
  // drains.
  [[nodiscard]] async::Task<Result<void>> open(const MxPlan::Target& target);
  [[nodiscard]] smtp::ClientConfig session_config(const MxPlan::Target& target,
                                                  bool in_clear) const;
  // What the session asks for, in two halves around the wait: no frame of ours is held meanwhile.
  [[nodiscard]] async::Task<Result<std::size_t>> read(const smtp::ClientSession& session);
  void was_read(smtp::ClientSession& session, const Result<std::size_t>& octets);
  [[nodiscard]] async::Task<Result<void>> write(smtp::ClientSession& session);
  void was_written(smtp::ClientSession& session, const Result<void>& written);
  // True: the handshake failed, and a connection in the clear may do better.
  [[nodiscard]] async::Task<bool> start_tls(smtp::ClientSession& session);
  void close() { stream_.close(); }

  // Octets of the peer that the session has not consumed.
  [[nodiscard]] std::string& input() { return input_; }
  // Between transactions: the host hung up, or said something unasked.
  [[nodiscard]] bool disturbed() const {
    return !stream_.is_open() || stream_.pending() != net::Stream::Pending::kNothing;
  }

  // Of the last open(), as events name it.
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] const std::string& address() const { return address_; }
  // " by proxy 10.0.0.5:5000", or nothing.
  [[nodiscard]] std::string by_proxy() const;
  [[nodiscard]] const std::string& tls_text() const { return tls_text_; }

  // As the route or the shaping says; credentials leave this machine in verified TLS only, or where
  // TLS is disabled in as many words.
  [[nodiscard]] control::Shaping::Tls tls_policy(const net::IpAddress& to) const;

 private:
  [[nodiscard]] async::Task<Result<void>> open_by_proxy(const net::Address& target);
  [[nodiscard]] std::optional<net::Address> source_address(net::Family family) const;
  [[nodiscard]] Instant deadline(smtp::ClientStage stage, bool writing) const;

  Environment& env_;
  Dispatch& dispatch_;
  const Way way_;
  // Of the last open(). Never to this machine itself, be it the capture or a route: nothing of that
  // passes a network.
  std::optional<net::Address> proxy_;
  net::Stream stream_;
  std::array<char, 1024> buffer_;  // of a read under way; replies are short
  Rope output_;                    // of a write under way
  std::string input_;
  std::string host_;
  std::string address_;
  std::string tls_text_;
};

}  // namespace godwit::sender
