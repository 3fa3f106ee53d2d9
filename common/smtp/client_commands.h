#pragma once

#include <optional>
#include <string>

#include "common/smtp/client_session.h"

// What a client says and hears, without the dialogue: command lines, and the features in a reply to
// EHLO. Shared by the sources of ClientSession.
// Threads  pure; no I/O, no clock
namespace godwit::smtp {

// A reply that no peer gave: code 0.
[[nodiscard]] Reply reply_of_ours(EnhancedCode enhanced, std::string text);

// The keywords of a 250 reply to EHLO; what is not known is passed over (RFC 5321 s4.1.1.1).
[[nodiscard]] PeerFeatures read_features(const Reply& reply);

// What a transaction needs of the peer and the peer has not; nothing: it can be offered.
[[nodiscard]] std::optional<Reply> obstacle(const ClientTransaction& transaction,
                                            const PeerFeatures& peer, const ClientConfig& config);

// Addresses come from records; whatever wrote those, nothing but one address may get into a command
// line.
[[nodiscard]] bool is_sendable(const std::string& address);

// Lines without CRLF, with the parameters the peer has the extensions for.
[[nodiscard]] std::string mail_line(const ClientTransaction& transaction, const PeerFeatures& peer);
[[nodiscard]] std::string rcpt_line(const ClientRecipient& recipient,
                                    const ClientTransaction& transaction, const PeerFeatures& peer);

}  // namespace godwit::smtp
