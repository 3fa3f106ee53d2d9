#include "ingress/proxied_client.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "common/net/proxy_header.h"
#include "common/observe/log.h"

namespace godwit::ingress {
namespace {

using NoClient = IngressMetrics::NoClient;

const observe::Logger kLog{"ingress"};

async::Task<Result<void>> read_header(net::Stream& stream, net::ProxyHeaderReader& header,
                                      Instant deadline) {
  std::array<char, 256> octets;
  while (header.wanted() > 0) {
    const std::size_t most = std::min(header.wanted(), octets.size());
    CO_TRY(const std::size_t count,
           co_await stream.read_some(std::span(octets).first(most), deadline));
    if (count == 0) co_return fail(net::Errc::kPeerClosed);
    CO_TRY_VOID(header.take({octets.data(), count}));
  }
  co_return Result<void>{};
}

// A proxy is a machine of the operator's; of anybody else the address is personal.
void refuse(const Services& services, const Port& port, NoClient why, const observe::LogField& peer,
            std::string_view problem) {
  services.metrics.client_unknown(why);
  kLog.warning("connection closed: no PROXY header says who the client is",
               {{"listener", port.name()}, peer, {"problem", problem}});
}

}  // namespace

async::Task<bool> learn_client(const Services& services, const Port& port, ShardServices& shard,
                               net::Stream& stream) {
  const std::string peer = stream.remote().to_text();
  if (!port.is_proxy(stream.remote().ip)) {
    refuse(services, port, NoClient::kNoProxy, {"peer", observe::personal(peer)},
           "the peer is not in proxy_networks");
    co_return false;
  }
  const auto [entry, pass] = services.sessions.enter(stream.remote().ip, true);
  if (entry != SessionCounts::Entry::kEntered) {
    services.metrics.session_refused();
    kLog.info("session refused", {{"listener", port.name()}, {"limit", "sessions_max"}});
    co_return false;
  }
  const async::StopSignal::Callback on_stop(shard.stop, [&stream] { stream.close(); });
  const async::StopSignal::Callback on_drain(shard.drain, [&stream] { stream.close(); });
  net::ProxyHeaderReader header;
  const Result<void> read = co_await read_header(
      stream, header, shard.shard.now() + services.config.timeouts.proxy_header);
  if (read) {
    if (header.ends()) stream.set_remote(header.ends()->source);
    co_return true;
  }
  if (read.error().code == net::Errc::kInvalid) {
    refuse(services, port, NoClient::kNoHeader, {"peer", peer}, read.error().context);
  } else if (read.error().code == net::Errc::kTimeout) {
    refuse(services, port, NoClient::kTimeout, {"peer", peer}, "the header did not come in time");
  } else if (header.begun() && read.error().code != net::Errc::kClosed) {
    refuse(services, port, NoClient::kNoHeader, {"peer", peer}, read.error().to_string());
  }  // else somebody looked whether the port is open, or we end
  co_return false;
}

}  // namespace godwit::ingress
