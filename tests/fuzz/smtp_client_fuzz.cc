// Any octets of a server against the client's machine: each transaction has exactly one outcome, and content goes
// out only behind 354. The first octet chooses the configuration, the second the length of the pieces.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/smtp/client_session.h"

using namespace godwit;
using namespace godwit::smtp;
using Kind = ClientAction::Kind;

namespace {

ClientTransaction transaction(std::uint64_t tag) {
  ClientTransaction made{.tag = tag,
                         .sender = "a@b",
                         .size = 100,
                         .recipients = {{.address = "c@d"}, {.address = "e@f"}}};
  made.smtputf8 = tag % 5 == 0;
  made.content = Bytes::of_static("x\r\n.y\r\n");
  made.dot_stuffed = false;
  return made;
}

struct Run {
  std::uint64_t begun = 0;
  std::uint64_t ended = 0;
};

// False: the session ended.
bool drive(ClientSession& session, std::string& input, Run& run) {
  for (;;) {
    const ClientAction action = session.next(input);
    CHECK(action.consumed <= input.size());
    input.erase(0, action.consumed);
    if (session.can_begin() && run.begun < 6) {
      session.begin(transaction(++run.begun));
      continue;
    }
    switch (action.kind) {
      case Kind::kWrite: CHECK(!session.take_output().empty()); break;
      case Kind::kRead: CHECK(input.size() <= 128 * 2048); return true;
      case Kind::kStartTls: session.tls_started(); break;
      case Kind::kOutcome: {
        const TransactionOutcome outcome = session.take_outcome();
        CHECK(outcome.tag >= 1 && outcome.tag <= run.begun);
        CHECK(outcome.recipients.size() == 2);
        for (const RecipientOutcome& one : outcome.recipients) {
          if (one.kind == RecipientOutcome::Kind::kDelivered)
            CHECK(one.reply.positive() && one.stage == ClientStage::kDot);
        }
        ++run.ended;
        break;
      }
      case Kind::kIdle: session.quit(); break;
      case Kind::kClosed: return false;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  ClientConfig config{.tls = static_cast<ClientTls>(data[0] % 3),
                      .auth_in_clear = true,
                      .pipelining = (data[0] & 4) == 0,
                      .write_bytes_max = (data[0] & 8) != 0 ? 5u : 1u << 18};
  if ((data[0] & 16) != 0)
    config.credentials = Credentials{.authorization = {}, .username = "u", .password = "p"};
  const std::size_t piece = data[1] == 0 ? size : data[1];
  ClientSession session(std::move(config));
  std::string_view octets(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string input;
  Run run;
  bool open = drive(session, input, run);
  while (open && !octets.empty()) {
    input += octets.substr(0, piece);
    octets.remove_prefix(std::min(piece, octets.size()));
    open = drive(session, input, run);
  }
  if (open) {
    session.disconnected("end of input");
    CHECK(!drive(session, input, run), "a lost connection is the end");
  }
  CHECK(run.ended == run.begun, "{} begun, {} ended", run.begun, run.ended);
  return 0;
}
