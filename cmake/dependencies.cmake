# Libraries of others. Versions are those of Debian 12, librdkafka excepted; scripts/deps installs them.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(re2 REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(RocksDB REQUIRED)
pkg_check_modules(unbound REQUIRED IMPORTED_TARGET libunbound)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(psl REQUIRED IMPORTED_TARGET libpsl)
pkg_check_modules(idn2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
if(GODWIT_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()

# The Kafka client is built once by scripts/librdkafka, which prints where it is.
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/librdkafka
                OUTPUT_VARIABLE RDKAFKA OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
find_package(ZLIB REQUIRED)
add_library(rdkafka STATIC IMPORTED)
set_target_properties(rdkafka PROPERTIES
  IMPORTED_LOCATION ${RDKAFKA}/lib/librdkafka.a
  INTERFACE_INCLUDE_DIRECTORIES ${RDKAFKA}/include
  INTERFACE_LINK_LIBRARIES "OpenSSL::SSL;OpenSSL::Crypto;ZLIB::ZLIB;Threads::Threads;${CMAKE_DL_LIBS};m")
