#include "common/base/crc32c.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#endif

namespace godwit {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

// Row k holds the remainders of an octet followed by k zero octets ("slicing by 8").
constexpr Table make_table() {
  Table table{};
  for (std::uint32_t octet = 0; octet < 256; ++octet) {
    std::uint32_t crc = octet;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    table[0][octet] = crc;
  }
  for (std::uint32_t octet = 0; octet < 256; ++octet) {
    for (std::size_t row = 1; row < 8; ++row) {
      const std::uint32_t before = table[row - 1][octet];
      table[row][octet] = (before >> 8) ^ table[0][before & 0xff];
    }
  }
  return table;
}
constexpr Table kTable = make_table();

std::uint32_t extend_portable(std::uint32_t crc, const char* data, std::size_t size) {
  while (size >= 8 && std::endian::native == std::endian::little) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    word ^= crc;
    crc = 0;
    for (std::size_t octet = 0; octet < 8; ++octet)
      crc ^= kTable[7 - octet][(word >> (8 * octet)) & 0xff];
    data += 8;
    size -= 8;
  }
  for (; size > 0; --size, ++data)
    crc = (crc >> 8) ^ kTable[0][(crc ^ static_cast<unsigned char>(*data)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t extend_hardware(std::uint32_t crc, const char* data,
                                                                std::size_t size) {
  std::uint64_t wide = crc;
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (; size > 0; --size, ++data) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*data));
  return crc;
}
bool has_hardware() {
  return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
std::uint32_t extend_hardware(std::uint32_t crc, const char* data, std::size_t size) {
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, data, 8);
    crc = __crc32cd(crc, word);
  }
  for (; size > 0; --size, ++data) crc = __crc32cb(crc, static_cast<unsigned char>(*data));
  return crc;
}
bool has_hardware() {
  return true;
}
#else
std::uint32_t extend_hardware(std::uint32_t crc, const char* data, std::size_t size) {
  return extend_portable(crc, data, size);
}
bool has_hardware() {
  return false;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view octets, std::uint32_t so_far) {
  static const auto extend = has_hardware() ? extend_hardware : extend_portable;
  return ~extend(~so_far, octets.data(), octets.size());
}

std::uint32_t crc32c(const Rope& octets) {
  std::uint32_t crc = 0;
  for (const Bytes& piece : octets.pieces()) crc = crc32c(piece.view(), crc);
  return crc;
}

}  // namespace godwit
