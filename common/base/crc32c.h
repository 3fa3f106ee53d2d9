#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"

namespace godwit {

// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as in iSCSI (RFC 3720 appendix B.4), Kafka
// and RocksDB.
//
// crc32c("123456789") == 0xE3069283. To go on over several pieces pass what was returned so far:
// crc32c(b, crc32c(a)) == crc32c(a + b). Uses the processor's instruction where there is one (about
// 10 GB/s).
[[nodiscard]] std::uint32_t crc32c(std::string_view octets, std::uint32_t so_far = 0);
[[nodiscard]] std::uint32_t crc32c(const Rope& octets);

}  // namespace godwit
