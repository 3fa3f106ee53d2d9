// Any octets, in any split, against the server's machine. The first octet chooses the configuration, the second the
// length of the pieces; the rest comes from the peer.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/smtp/server_session.h"

using namespace godwit::smtp;
using Kind = ServerAction::Kind;

namespace {

// Acts on `input` until the session wants more. False: it ended.
bool drive(ServerSession& session, std::string& input, std::uint64_t& content_bytes) {
  for (;;) {
    const ServerAction action = session.next(input);
    CHECK(action.consumed <= input.size());
    CHECK(action.content.size() <= action.consumed);
    if (action.kind == Kind::kContent) {
      content_bytes += action.content.size();
      // No content that ends DATA elsewhere may pass.
      CHECK(action.content.find('\0') == std::string_view::npos);
    }
    input.erase(0, action.consumed);
    switch (action.kind) {
      case Kind::kRead:
        (void)session.take_output();
        CHECK(input.size() < ServerSession::input_bytes_min(ServerLimits{}),
              "it wants more and takes nothing");
        return true;
      case Kind::kWrite: CHECK(!session.take_output().empty()); break;
      case Kind::kMail:
      case Kind::kData:
        content_bytes = 0;
        session.accept();
        break;
      case Kind::kRcpt: session.accept(); break;
      case Kind::kContent: break;
      case Kind::kMessage:
        CHECK(session.content_facts().size == content_bytes);
        CHECK(!session.envelope().recipients.empty());
        session.answer(Reply::of(250, {2, 0, 0}, "Ok"));
        break;
      case Kind::kAbort: content_bytes = 0; break;
      case Kind::kAuth:
        session.answer(session.credentials().password == "b" ? Reply::of(235, {2, 7, 0}, "Ok")
                                                             : Reply::of(535, {5, 7, 8}, "No"));
        break;
      case Kind::kStartTls: session.tls_started(); break;
      case Kind::kClose: return false;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ServerConfig config{.kind = static_cast<ServerKind>(data[0] % 3),
                            .starttls = (data[0] & 4) != 0,
                            .auth_in_clear = (data[0] & 8) != 0,
                            .limits = {.content_bytes_max = (data[0] & 16) != 0 ? 100u : 0u}};
  const std::size_t piece = data[1] == 0 ? size : data[1];
  ServerSession session(config, (data[0] & 32) != 0);
  std::string_view octets(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string input;
  std::uint64_t content_bytes = 0;
  do {
    input += octets.substr(0, piece);
    octets.remove_prefix(std::min(piece, octets.size()));
  } while (drive(session, input, content_bytes) && !octets.empty());
  return 0;
}
