# How the project's targets are made, so that each folder's CMakeLists.txt is a list of files and arrows.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
# Debian's versioned Boost: the unversioned packages are 1.74.
find_package(Boost 1.81 REQUIRED COMPONENTS url json)

add_library(postern_flags INTERFACE)
target_include_directories(postern_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(postern_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    # A prefetch for writing asks for the line alone, without a second question when it is written. Every x86-64 CPU takes the
    # instruction (those before 2014 do nothing for it), but compilers do not use it by themselves.
    target_compile_options(postern_flags INTERFACE -mprfchw)
endif()
target_compile_definitions(postern_flags INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_BEAST_USE_STD_STRING_VIEW)
target_link_libraries(postern_flags INTERFACE Threads::Threads Boost::headers)
if(POSTERN_SANITIZE)
    target_compile_options(postern_flags INTERFACE -fsanitize=${POSTERN_SANITIZE} -fno-omit-frame-pointer
                                                   -fno-sanitize-recover=all)
    target_link_options(postern_flags INTERFACE -fsanitize=${POSTERN_SANITIZE})
endif()
if(POSTERN_SANITIZE)
    # The sanitizers' runtime is linked into every test and fuzz target: lld takes a fifth of ld's time for that.
    find_program(POSTERN_LLD ld.lld-16)
    if(POSTERN_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        target_link_options(postern_flags INTERFACE -fuse-ld=lld-16)
    endif()
endif()
if(POSTERN_FUZZ)
    # Coverage in every library, so that one sanitizer build serves unit tests and fuzz targets.
    target_compile_options(postern_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# postern_glue_folder(): the folder's code is not optimised in sanitizer builds. For code that is long to compile and runs seldom
# (handlers, command lines, wiring): it halves what such a build takes. Not for what fuzzers and load go through.
macro(postern_glue_folder)
    if(POSTERN_SANITIZE)
        add_compile_options(-O0)
        set(postern_folder_carrier postern_usual_glue)
    endif()
endmacro()

# postern_glue_sources(FILE …): the same for single sources of a folder.
function(postern_glue_sources)
    if(POSTERN_SANITIZE)
        set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -O0)
        set_property(SOURCE ${ARGN} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
    endif()
endfunction()

# postern_library(NAME SOURCES … LINK …): a folder's library, `postern_NAME`, with all that may be included from it.
function(postern_library name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
    add_library(postern_${name} STATIC ${arg_SOURCES})
    target_link_libraries(postern_${name} PUBLIC postern_flags ${arg_LINK} PRIVATE ${arg_PRIVATE_LINK})
    postern_precompiled(postern_${name} ${postern_folder_carrier})
endfunction()

# postern_program(NAME SOURCES … LINK … [SBIN]): a program `NAME` that is installed.
function(postern_program name)
    cmake_parse_arguments(arg "SBIN" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE postern_flags ${arg_LINK})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    if(arg_SBIN)
        install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
    else()
        install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endfunction()

if(POSTERN_SANITIZE)
    # A test's own text is read once by the compiler and run once: optimising it under sanitizers doubles the build, and that a
    # fuzzer could see where it goes takes a fifth of the rest.
    set(postern_test_options -O0)
    if(POSTERN_FUZZ)
        list(APPEND postern_test_options -fno-sanitize=fuzzer-no-link)
    endif()
endif()

# postern_test(NAME SOURCES … LINK … [THREADED]): a GoogleTest program in bin/tests; THREADED ones also run under TSan.
function(postern_test name)
    cmake_parse_arguments(arg "THREADED" "" "SOURCES;LINK" ${ARGN})
    if(NOT POSTERN_TESTS)
        return()
    endif()
    if(POSTERN_SANITIZE STREQUAL "thread" AND NOT arg_THREADED)
        return()
    endif()
    find_package(GTest REQUIRED)
    add_executable(test_${name} ${arg_SOURCES})
    target_link_libraries(test_${name} PRIVATE postern_flags ${arg_LINK} GTest::gmock GTest::gtest_main)
    target_compile_definitions(test_${name} PRIVATE POSTERN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_compile_options(test_${name} PRIVATE ${postern_test_options})
    postern_precompiled(test_${name} postern_usual_tests)
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
    add_dependencies(unit_tests test_${name})
endfunction()
add_custom_target(unit_tests)

# postern_fuzz(NAME SOURCES … LINK …): a libFuzzer target in bin/fuzz; its kept corpus is tests/fuzz/corpus/NAME.
function(postern_fuzz name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    if(NOT POSTERN_FUZZ)
        return()
    endif()
    add_executable(fuzz_${name} ${arg_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE postern_flags ${arg_LINK})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/fuzz)
    add_dependencies(fuzz_targets fuzz_${name})
endfunction()
add_custom_target(fuzz_targets)

set(postern_folder_carrier postern_usual)
include(cmake/precompiled.cmake)

# Every header compiles alone. Of one that a source of the same name includes before all else, compiling that source is the
# proof; each of the others has a generated source, syntax only, built by the target self_contained_headers. Which is which
# is found out when CMake runs: `./dev test` runs it for this.
function(postern_check_headers)
    file(GLOB_RECURSE headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
         ${PROJECT_SOURCE_DIR}/board/*.h ${PROJECT_SOURCE_DIR}/dataplane/*.h ${PROJECT_SOURCE_DIR}/smtp/*.h
         ${PROJECT_SOURCE_DIR}/control/*.h ${PROJECT_SOURCE_DIR}/perf/*.h)
    set(sources)
    foreach(header ${headers})
        string(REGEX REPLACE "h$" "cc" own ${PROJECT_SOURCE_DIR}/${header})
        set(first)
        if(EXISTS ${own})
            file(STRINGS ${own} first REGEX "^[ \t]*#" LIMIT_COUNT 1)
        endif()
        if(first STREQUAL "#include \"${header}\"")
            continue()
        endif()
        string(REPLACE "/" "_" name ${header})
        set(source ${PROJECT_BINARY_DIR}/generated/alone/${name}.cc)
        file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\n")
        list(APPEND sources ${source})
    endforeach()
    add_library(self_contained_headers OBJECT EXCLUDE_FROM_ALL ${sources})
    # Some include DPDK, which is known where its folder is built.
    target_link_libraries(self_contained_headers PRIVATE postern_flags $<TARGET_NAME_IF_EXISTS:postern_dpdk>)
    target_compile_options(self_contained_headers PRIVATE -fsyntax-only)
endfunction()

# postern_unit(FILE): a systemd unit that is installed with the paths of where everything else is installed to, which is
# known at that time only (cmake --install --prefix).
function(postern_unit file)
    get_filename_component(name ${file} NAME)
    install(CODE "
        function(place folder out)
            if(NOT IS_ABSOLUTE \"\${folder}\")
                string(PREPEND folder \"\${CMAKE_INSTALL_PREFIX}/\")
            endif()
            set(\${out} \"\${folder}\" PARENT_SCOPE)
        endfunction()
        place(\"${CMAKE_INSTALL_SBINDIR}\" sbin)
        place(\"${CMAKE_INSTALL_SYSCONFDIR}\" etc)
        file(READ \"${PROJECT_SOURCE_DIR}/${file}\" unit)
        string(REPLACE \"=/usr/sbin/\" \"=\${sbin}/\" unit \"\${unit}\")
        string(REPLACE \" /etc/postern/\" \" \${etc}/postern/\" unit \"\${unit}\")
        set(to \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/${name}\")
        message(STATUS \"Installing: \${to}\")
        file(WRITE \"\${to}\" \"\${unit}\")")
endfunction()

# postern_settings(FILE): an example of settings that is installed where there are none yet; what somebody wrote stays.
function(postern_settings file)
    get_filename_component(name ${file} NAME)
    install(CODE "
        set(folder \"${CMAKE_INSTALL_SYSCONFDIR}/postern\")
        if(NOT IS_ABSOLUTE \"\${folder}\")
            string(PREPEND folder \"\${CMAKE_INSTALL_PREFIX}/\")
        endif()
        if(EXISTS \"\$ENV{DESTDIR}\${folder}/${name}\")
            message(STATUS \"Left as it is: \$ENV{DESTDIR}\${folder}/${name}\")
        else()
            file(INSTALL \"${CMAKE_CURRENT_SOURCE_DIR}/${file}\" DESTINATION \"\${folder}\")
        endif()")
endfunction()
