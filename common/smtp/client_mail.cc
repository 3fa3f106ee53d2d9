// Transactions: MAIL, RCPT, DATA, the content and its dot, and what the replies to them decide.

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/smtp/client_commands.h"
#include "common/smtp/client_state.h"
#include "common/smtp/dot_stuffing.h"

namespace godwit::smtp {
namespace {

// Codes that fit: MAIL and RCPT 2xx, DATA 354, dot 2xx; 4xx and 5xx everywhere.
bool fits(ClientStage stage, const Reply& reply) {
  if (reply.transient() || reply.permanent()) return true;
  return stage == ClientStage::kData ? reply.code == 354 : reply.positive();
}

}  // namespace

bool ClientSession::State::can_begin() const {
  if (phase != Phase::kReady || quit_asked) return false;
  if (running.empty()) return expected.empty();
  const RunningTransaction& front = running.front();
  return running.size() == 1 && front.dot_queued && !front.discarded && pipelining();
}

void ClientSession::State::begin(ClientTransaction transaction) {
  CHECK(can_begin(), "begin() without can_begin()");
  CHECK(!transaction.recipients.empty(), "a transaction without recipients");
  RunningTransaction run(++serials, std::move(transaction));
  if (const auto reply = obstacle(run.transaction, peer, config)) {
    run.decide_rest(Outcome::kRefused, ClientStage::kMail, *reply);
    give_out(std::move(run));
    return;
  }
  for (std::size_t i = 0; i < run.decided.size(); ++i) {
    if (!is_sendable(run.transaction.recipients[i].address)) {
      run.decide(i, Outcome::kRefused, ClientStage::kRcpt,
                 reply_of_ours({5, 1, 3}, "recipient is not an address that can be sent"));
    }
  }
  if (run.all_decided()) {
    give_out(std::move(run));
    return;
  }
  running.push_back(std::move(run));
  if (std::exchange(reset_needed, false)) send_command("RSET", ClientStage::kReset);
  send_mail(running.back());
  if (!pipelining()) return;
  while (send_rcpt(running.back())) {
  }
  send_data(running.back());
}

// Decided here, and so attempted.
void ClientSession::State::give_out(RunningTransaction run) {
  run.outcome.attempted = true;
  outcomes.push_back(std::move(run.outcome));
}

// --- commands

void ClientSession::State::send_mail(const RunningTransaction& run) {
  send_command(mail_line(run.transaction, peer), ClientStage::kMail, run.serial);
}

// The next RCPT; false when all were sent.
bool ClientSession::State::send_rcpt(RunningTransaction& run) {
  while (run.rcpt_sent < run.decided.size() && run.decided[run.rcpt_sent]) ++run.rcpt_sent;
  if (run.rcpt_sent == run.decided.size()) return false;
  send_command(rcpt_line(run.transaction.recipients[run.rcpt_sent], run.transaction, peer),
               ClientStage::kRcpt, run.serial, run.rcpt_sent);
  ++run.rcpt_sent;
  return true;
}

void ClientSession::State::send_data(const RunningTransaction& run) {
  send_command("DATA", ClientStage::kData, run.serial);
}

void ClientSession::State::send_content(RunningTransaction& run) {
  Rope content = std::exchange(run.transaction.content, {});
  if (!run.transaction.dot_stuffed) {
    content = dot_stuffed(content);
  } else if (!content.empty() && !ends_with_crlf(content)) {
    content.append(Bytes::of_static("\r\n"));
  }
  flush_text();
  queued += content.size();
  output.append(content);
  send_dot(run);
}

void ClientSession::State::send_dot(RunningTransaction& run) {
  send_command(".", ClientStage::kDot, run.serial);
  run.dot_queued = true;
  run.dot_end = queued;
}

// --- replies

void ClientSession::State::on_transaction_reply(const Expected& waited, const Reply& reply) {
  const auto found = std::ranges::find(running, waited.serial, &RunningTransaction::serial);
  CHECK(found != running.end(), "a reply for no transaction");
  RunningTransaction& run = *found;
  if (!fits(waited.stage, reply)) {
    if (waited.stage == ClientStage::kMail) run.outcome.attempted = true;
    fail(waited.stage, unexpected(waited.stage, reply));
    return;
  }
  if (reply.code == 421) {  // RFC 5321 s3.8: an answer to this command, and the end
    run.outcome.attempted = true;
    run.decide_rest(Outcome::kDeferred, waited.stage, reply);
    fail(waited.stage, reply);
    return;
  }
  switch (waited.stage) {
    case ClientStage::kMail: on_mail(run, reply); return;
    case ClientStage::kRcpt: on_rcpt(run, waited.recipient, reply); return;
    case ClientStage::kData: on_data(run, reply); return;
    default: on_dot(run, reply); return;
  }
}

void ClientSession::State::on_mail(RunningTransaction& run, const Reply& reply) {
  run.outcome.attempted = true;
  run.mail_accepted = reply.positive();
  if (!run.mail_accepted) run.decide_rest(outcome_of(reply), ClientStage::kMail, reply);
  if (pipelining()) return;
  if (!run.mail_accepted) {
    finish_front();
  } else {
    send_rcpt(run);
  }
}

void ClientSession::State::on_rcpt(RunningTransaction& run, std::size_t recipient,
                                   const Reply& reply) {
  if (reply.positive() && run.mail_accepted) {
    ++run.accepted;
  } else {
    run.decide(recipient, outcome_of(reply), ClientStage::kRcpt, reply);
  }
  if (pipelining() || send_rcpt(run)) return;
  if (run.accepted > 0) {
    send_data(run);
  } else {
    finish_front();
  }
}

void ClientSession::State::on_data(RunningTransaction& run, const Reply& reply) {
  if (reply.code == 354) {
    run.discarded = run.accepted == 0;
    if (run.discarded) {
      send_dot(run);
    } else {
      send_content(run);
    }
    return;
  }
  run.decide_rest(outcome_of(reply), ClientStage::kData, reply);
  finish_front();
}

void ClientSession::State::on_dot(RunningTransaction& run, const Reply& reply) {
  if (!run.discarded) {
    run.decide_rest(reply.positive() ? Outcome::kDelivered : outcome_of(reply), ClientStage::kDot,
                    reply);
  }
  finish_front();
}

void ClientSession::State::finish_front() {
  CHECK(!running.empty(), "no transaction to finish");
  RunningTransaction& front = running.front();
  if (front.mail_accepted && !front.dot_queued) reset_needed = true;
  outcomes.push_back(std::move(front.outcome));
  running.erase(running.begin());
  if (quit_asked) send_quit();
}

}  // namespace godwit::smtp
