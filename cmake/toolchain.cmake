# Compiler, linker and flags for every target.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} destroys temporaries of co_await expressions twice. "
    "Use clang-19 (the presets do: cmake --preset dev) or g++ 13 and later.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

option(GODWIT_WERROR "Treat warnings as errors (CI does)" OFF)
set(GODWIT_SANITIZE "" CACHE STRING "Sanitizers for everything, as in -fsanitize=")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_SOURCE_DIR}/cmake/ccache)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_SOURCE_DIR}/cmake/ccache)
endif()

add_link_options(-fuse-ld=lld)
# Some libraries ask for it and some do not; precompiled headers want one answer everywhere.
add_compile_options(-pthread)
# Paths relative to the checkout in __FILE__ and debug information: builds repeat, caches are shared.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1 -D_GLIBCXX_ASSERTIONS")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -ffunction-sections -fdata-sections")
set(CMAKE_EXE_LINKER_FLAGS_RELEASE "-Wl,--gc-sections -Wl,--icf=safe")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS")
if(GODWIT_SANITIZE)
  add_compile_options(-fsanitize=${GODWIT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GODWIT_SANITIZE})
endif()

if(GODWIT_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Our own targets only: generated code is not ours to mend.
add_library(godwit_warnings INTERFACE)
target_compile_options(godwit_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wextra-semi -Wimplicit-fallthrough -Wno-missing-field-initializers
  $<$<BOOL:${GODWIT_WERROR}>:-Werror>)

# For sources of tests, which are compiled more often than they are run: they are not optimised. What they test is.
add_library(godwit_testing INTERFACE)
target_compile_options(godwit_testing INTERFACE $<$<NOT:$<CONFIG:Release>>:-O0>)
target_link_libraries(godwit_testing INTERFACE godwit_warnings GTest::gmock)
