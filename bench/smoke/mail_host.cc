#include "bench/smoke/mail_host.h"

#include <utility>

namespace godwit::bench {
namespace {

std::string_view reply_to(std::string_view command) {
  if (command.starts_with("EHLO")) {
    return "250-host.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 50000000\r\n"
           "250 ENHANCEDSTATUSCODES\r\n";
  }
  if (command.starts_with("DATA")) return "354 go on\r\n";
  if (command.starts_with("QUIT")) return "221 2.0.0 bye\r\n";
  return "250 2.1.0 ok\r\n";
}

}  // namespace

async::Task<Result<net::Stream>> MailHost::connect(async::Shard& shard, net::Address /*remote*/,
                                                   std::optional<net::Address> /*local*/,
                                                   Instant /*deadline*/) {
  Session session;
  const int other = session.wire.other();
  session.wire.send("220 host.example ESMTP\r\n");
  sessions_.push_back(std::move(session));
  co_return net::Stream(shard, other);
}

bool MailHost::serve() {
  bool any = false;
  for (Session& session : sessions_) {
    if (session.wire.receive(session.input) == 0) continue;
    any = true;
    answer(session);
  }
  return any;
}

void MailHost::answer(Session& session) {
  constexpr std::string_view kEnd = "\r\n.\r\n";
  std::string replies;
  for (;;) {
    const std::string_view mark = session.in_content ? kEnd : "\r\n";
    const std::size_t end = session.input.find(mark);
    if (end == std::string::npos) break;
    if (session.in_content) {
      replies += "250 2.0.0 taken as 0123456789abcdef\r\n";
      session.in_content = false;
      ++taken_;
    } else {
      const std::string_view reply = reply_to(std::string_view(session.input).substr(0, end));
      session.in_content = reply.starts_with("354");
      replies += reply;
    }
    session.input.erase(0, end + mark.size());
  }
  if (!replies.empty()) session.wire.send(replies);
}

}  // namespace godwit::bench
