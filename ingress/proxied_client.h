#pragma once

#include "common/async/task.h"
#include "common/net/stream.h"
#include "ingress/services.h"

namespace godwit::ingress {

// Finds out whose connection it is that came to a port with proxy_networks: the PROXY header in
// front of everything, TLS included, names the client, and stream.remote() is the client from then
// on. What stands behind the header is not touched.
//
// Input     a connection that nothing was read from. Where a peer is not in proxy_networks nothing
//           it says is read: it could name anybody
// Output    true: serve it. False: there is nobody to serve, which is counted and logged; the
//           stream is of no use
// Limits    one header of net::kProxyV2BytesMax, in timeouts.proxy_header; waiting counts as a
//           session (of the proxy, exempt from the limit of an address)
// Threads   the shard of the stream; a stop or a drain of the shard ends it
[[nodiscard]] async::Task<bool> learn_client(const Services& services, const Port& port,
                                             ShardServices& shard, net::Stream& stream);

}  // namespace godwit::ingress
