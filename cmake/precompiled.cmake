# Headers that most sources include, parsed once for all of them (docs/decisions/0011-precompiled-headers.md).
#
# Two sets: `plain`, and `service` for modules that stand on async or proto_records; each once more with GoogleTest, for tests.
# They hold headers of others and common/async/asio.h only: an edit of ours does not rebuild everything.
# A source still includes what it uses: tests/layering looks, and `make check` compiles without these.
option(GODWIT_PRECOMPILE "Precompile the headers that most sources include" ON)

set(plain_headers
  <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <deque> <expected> <filesystem> <fstream>
  <functional> <map> <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <string_view>
  <system_error> <thread> <unordered_map> <unordered_set> <variant> <vector> <fmt/format.h>)
set(service_headers ${plain_headers} ${CMAKE_SOURCE_DIR}/common/async/asio.h
  <google/protobuf/generated_message_reflection.h> <google/protobuf/generated_message_util.h>
  <google/protobuf/map.h> <google/protobuf/message.h> <google/protobuf/unknown_field_set.h>)
set(test_headers <gtest/gtest.h> <gmock/gmock.h>)

function(godwit_precompile_set name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/precompiled.cc CONTENT "// Holds precompiled headers.\n")
  add_library(precompiled_${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/generated/precompiled.cc)
  target_include_directories(precompiled_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(precompiled_${name} PRIVATE ${ARG_LIBRARIES} godwit_warnings)
  # The same headers give the same octets: ccache compares them.
  target_compile_options(precompiled_${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  target_precompile_headers(precompiled_${name} PRIVATE ${ARG_HEADERS})
endfunction()

if(GODWIT_PRECOMPILE)
  set(plain_libraries fmt::fmt)
  set(service_libraries fmt::fmt Boost::headers protobuf::libprotobuf)
  foreach(name plain service)
    godwit_precompile_set(${name} HEADERS ${${name}_headers} LIBRARIES ${${name}_libraries})
    if(GODWIT_TESTS)
      godwit_precompile_set(${name}_test
        HEADERS ${${name}_headers} ${test_headers} LIBRARIES ${${name}_libraries} godwit_testing)
    endif()
  endforeach()
endif()

# godwit_precompile(TARGET [TEST] [DEPS modules...]): gives TARGET the set that fits what it depends on.
function(godwit_precompile target)
  cmake_parse_arguments(ARG "TEST" "" "DEPS" ${ARGN})
  get_property(services GLOBAL PROPERTY GODWIT_SERVICES)
  set(name plain)
  foreach(module ${target} ${ARG_DEPS})
    if(module MATCHES "^(async|proto_records)$" OR module IN_LIST services)
      set(name service)
    endif()
  endforeach()
  if(name STREQUAL service)
    set_property(GLOBAL APPEND PROPERTY GODWIT_SERVICES ${target})
  endif()
  if(ARG_TEST)
    string(APPEND name _test)
  endif()
  if(GODWIT_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM precompiled_${name})
  endif()
endfunction()
