#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "common/async/asio.h"
#include "common/async/shard.h"
#include "common/net/stream.h"
#include "common/net/tls_impl.h"

namespace godwit::net {

// The connection behind a Stream; stays where it is while the Stream moves.
struct Stream::Impl {
  // Reading or writing: who waits, and until when.
  struct Side {
    explicit Side(Impl& owner) : stream(owner) {}
    class Deadline final : public async::TimerWheel::Timer {
     public:
      explicit Deadline(Side& owner) : side(owner) {}

     private:
      void expired() override;
      Side& side;
    };
    Impl& stream;
    bool waiting = false;
    bool expired = false;
    Deadline timer{*this};
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

  // Until the socket is ready for that side. Errors: kTimeout, kClosed.
  [[nodiscard]] async::Task<Result<void>> wait(Side& side, Instant deadline);
  // Lets others of the shard run when this stream never had to wait for a while.
  [[nodiscard]] async::Task<void> take_turns();

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
  async::Descriptor descriptor;
  int fd;  // the descriptor's; -1: closed
  bool drained =
      false;  // the kernel had less than was asked for: do not ask again before it says so
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
