// From the banner to a session that may send mail: EHLO, STARTTLS, AUTH.

#include "common/smtp/client_commands.h"
#include "common/smtp/client_state.h"
#include "common/text/base64.h"

namespace godwit::smtp {

void ClientSession::State::send_ehlo() {
  phase = Phase::kEhlo;
  peer = {};
  send_command("EHLO " + config.helo, ClientStage::kEhlo);
}

void ClientSession::State::on_banner(const Reply& reply) {
  if (reply.code == 220) {
    send_ehlo();
  } else {
    fail_greeting(ClientStage::kBanner, reply);
  }
}

void ClientSession::State::on_hello(const Reply& reply) {
  if (reply.code == 250) {
    if (phase == Phase::kEhlo) peer = read_features(reply);
    after_hello();
  } else if (phase == Phase::kEhlo && reply.permanent()) {
    phase = Phase::kHelo;  // RFC 5321 s3.2: a host without EHLO
    send_command("HELO " + config.helo, ClientStage::kEhlo);
  } else {
    fail_greeting(ClientStage::kEhlo, reply);
  }
}

void ClientSession::State::after_hello() {
  if (!tls && config.tls != ClientTls::kNever) {
    if (peer.starttls) {
      phase = Phase::kStartTls;
      send_command("STARTTLS", ClientStage::kStartTls);
      return;
    }
    if (config.tls == ClientTls::kRequired) {
      fail(ClientStage::kStartTls,
           reply_of_ours({4, 7, 10}, "TLS is required and the host does not offer STARTTLS"));
      return;
    }
  }
  authenticate();
}

void ClientSession::State::on_starttls(const Reply& reply, bool input_left) {
  if (reply.code == 220) {
    // RFC 3207 s4.2: octets behind the reply were sent in the clear, by whomever.
    if (input_left) {
      fail(ClientStage::kStartTls,
           reply_of_ours({4, 7, 0}, "octets received behind the reply to STARTTLS"));
    } else {
      phase = Phase::kHandshake;
    }
  } else if (reply.positive() || reply.intermediate() || config.tls == ClientTls::kRequired) {
    fail_greeting(ClientStage::kStartTls, reply);
  } else {
    authenticate();
  }
}

void ClientSession::State::authenticate() {
  if (!config.credentials) {
    ready();
    return;
  }
  phase = Phase::kAuth;
  if (!tls && !config.auth_in_clear) {
    fail(ClientStage::kAuth, reply_of_ours({4, 7, 11}, "credentials are not sent without TLS"));
  } else if (peer.auth_plain) {
    send_command("AUTH PLAIN " + plain_response(*config.credentials), ClientStage::kAuth);
  } else if (peer.auth_login) {
    login_responses = 0;
    send_command("AUTH LOGIN", ClientStage::kAuth);
  } else {
    fail(ClientStage::kAuth,
         reply_of_ours({4, 7, 4}, "host offers neither AUTH PLAIN nor AUTH LOGIN"));
  }
}

void ClientSession::State::on_auth(const Reply& reply) {
  if (reply.code == 235) {
    ready();
  } else if (reply.code == 334 && !peer.auth_plain && login_responses < 2) {
    const auto& credentials = *config.credentials;
    const auto& response = login_responses++ == 0 ? credentials.username : credentials.password;
    send_command(text::base64_encode(response), ClientStage::kAuth);
  } else {
    fail_greeting(ClientStage::kAuth, reply);
  }
}

void ClientSession::State::ready() {
  phase = Phase::kReady;
  greeted = true;
  if (quit_asked) send_quit();
}

}  // namespace godwit::smtp
