# Headers that nearly every source reads are parsed once for all: in sanitizer builds, which are the long ones and of clang. The
# release build has none of this, so that it finds a source that forgets to include what it uses. Nor has clang-tidy: it would look
# at all of these headers again for every source.

option(POSTERN_PRECOMPILE "Parse the usual headers once for all sources (sanitizer builds)" ON)
if(NOT POSTERN_SANITIZE)
    set(POSTERN_PRECOMPILE OFF)
endif()

set(postern_usual_headers
    <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <filesystem> <functional> <map> <memory> <mutex>
    <optional> <set> <span> <sstream> <string> <string_view> <thread> <tuple> <unordered_map> <utility> <variant> <vector>)

# postern_carrier(NAME HEADERS … [OPTIONS …] [LINK …]): a target that has the headers parsed, with its options.
function(postern_carrier name)
    cmake_parse_arguments(arg "" "" "HEADERS;OPTIONS;LINK" ${ARGN})
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/${name}.cc CONTENT "// Carries precompiled headers.\n")
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/generated/${name}.cc)
    target_link_libraries(${name} PRIVATE postern_flags ${arg_LINK})
    # Without the time of its making in it, ccache takes one that was made again for the same.
    target_compile_options(${name} PRIVATE ${arg_OPTIONS} "SHELL:-Xclang -fno-pch-timestamp")
    target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()

if(POSTERN_PRECOMPILE)
    postern_carrier(postern_usual HEADERS ${postern_usual_headers})
    postern_carrier(postern_usual_glue HEADERS ${postern_usual_headers} OPTIONS -O0)
    if(POSTERN_TESTS)
        find_package(GTest REQUIRED)
        postern_carrier(postern_usual_tests HEADERS ${postern_usual_headers} <gmock/gmock.h> <gtest/gtest.h>
            OPTIONS ${postern_test_options} LINK GTest::gmock)
    endif()
endif()

# postern_precompiled(TARGET CARRIER): the target's sources begin with what the carrier has parsed. Both must be compiled for the
# same CPU: what is linked with DPDK, whose flags name one, goes without.
function(postern_precompiled target carrier)
    get_target_property(linked ${target} LINK_LIBRARIES)
    if(POSTERN_PRECOMPILE AND NOT linked MATCHES "postern_(dpdk|port|ring_link|load_packets|rig)(;|$)")
        target_precompile_headers(${target} REUSE_FROM ${carrier})
    endif()
endfunction()
