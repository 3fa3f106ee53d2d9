#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "common/async/asio.h"
#include "common/async/shard.h"
#include "common/net/poller.h"
#include "common/net/stream.h"
#include "common/net/tls_impl.h"

namespace godwit::net {

// The connection behind a Stream; stays where it is while the Stream moves.
struct Stream::Impl final : Poller::Socket {
  enum class Woken : std::uint8_t { kReady, kExpired, kClosed };

  // Reading or writing: who waits, and until when.
  struct Side final : async::TimerWheel::Timer {
    using Waiter = async::asio::async_result<async::UseAwaitable, void(Woken)>::handler_type;

    explicit Side(Impl& owner) : stream(owner) {}
    // Who waits, if anybody does; the timer is cancelled.
    std::optional<Waiter> take();
    void expired() override { stream.wake(*this, Woken::kExpired); }

    Impl& stream;
    std::optional<Waiter> waiter;
    bool changed = false;  // since the kernel was last asked: who would wait asks again
  };

  // What one call of OpenSSL came to.
  struct TlsStep {
    int result = 0;       // as the call returned it
    int kind = 0;         // SSL_ERROR_*
    int system_code = 0;  // errno
  };
  static constexpr std::size_t kTlsRecordMax = 16384;

  Impl(async::Shard& owner, int socket, std::optional<Address> remote_address);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void close();
  [[nodiscard]] const Address& local_address();

  void ready(std::uint32_t events) override;
  // Resumes who waits, if anybody does, when those of the shard before it had their turn.
  static void wake(Side& side, Woken why);
  // Until the socket is ready for that side. Errors: kTimeout, kClosed.
  [[nodiscard]] async::Task<Result<void>> wait(Side& side, Instant deadline);
  // Its parts, for who waits for every message and has no frame to spare. suspend() is not a
  // coroutine; it is needed when the side has not changed.
  [[nodiscard]] Result<void> before_wait(Side& side, Instant deadline);
  [[nodiscard]] async::Task<Woken> suspend(Side& side, Instant deadline);
  [[nodiscard]] Result<void> after_wait(Side& side, Woken woken);
  // True when this stream never had to wait for a while: a peer that sends as fast as we read must
  // not keep the shard for itself.
  [[nodiscard]] bool must_give_way();

  [[nodiscard]] async::Task<Result<std::size_t>> read_clear(std::span<char> into, Instant deadline);
  [[nodiscard]] async::Task<Result<std::size_t>> read_tls(std::span<char> into, Instant deadline);
  template <class Pieces>
  [[nodiscard]] async::Task<Result<void>> write_all(Pieces pieces, Instant deadline);

  [[nodiscard]] TlsStep step_of(int result);
  [[nodiscard]] async::Task<Result<void>> wait_for(TlsStep step, Side& side, std::string_view doing,
                                                   Instant deadline);
  [[nodiscard]] async::Task<Result<void>> failed(TlsStep step, std::string_view doing);
  [[nodiscard]] async::Task<Result<void>> handshake(Instant deadline);

  async::Shard& shard;
  int fd;                 // -1: closed
  bool drained = false;   // the kernel had less than was asked for: wait before asking again
  bool ended = false;     // the peer will send no more: reading tells so without waiting
  bool writable = false;  // the poller watches for room to write, too
  bool handshaking = false;
  bool tls_agreed = false;  // the handshake is done
  bool tls_failed = false;
  unsigned streak = 0;  // reads in a row that did not wait
  Side reading{*this};
  Side writing{*this};
  Address remote;
  std::optional<Address> local;
  std::unique_ptr<TlsClientSessionSlot> sessions;  // before ssl: the SSL refers to it
  SslPtr ssl;
};

}  // namespace godwit::net
