# LoaderPlugin.cmake: builds and checks native plugins. Works in any CMake project, 3.20 or later.
#
# Use, in the CMakeLists.txt of a plugin author:
#
#     cmake_minimum_required(VERSION 3.20)
#     project(my_plugins LANGUAGES C CXX)
#     execute_process(COMMAND python3 -m loader.author.sdk cmake OUTPUT_VARIABLE loader_DIR
#                     OUTPUT_STRIP_TRAILING_WHITESPACE)
#     find_package(loader CONFIG REQUIRED)
#     enable_testing()
#     loader_add_plugin(shout CONTRACT htmlize SOURCES shout.c)
#     loader_test_plugin(shout CALL hooks GIVES "role:shout\\n")
#
# loader_add_plugin(NAME CONTRACT contract
#                   SOURCES file... | CARGO folder | GO folder | ZIG file
#                   [BINDINGS language [folder]] [CONTRACT_HEADER file] [LINK library...])
#
#     Builds NAME.so (.dylib, .dll) into plugins/<contract>/ of the build folder, or into the folder that
#     LOADER_PLUGIN_OUTPUT names. The target is called NAME. Rebuilt when a source, a header, a manifest or a
#     package that it is built from changed, and not otherwise.
#     SOURCES   C11 or C++17, everything hidden but the contract's functions, undefined symbols refused.
#     CARGO     a crate of type cdylib, its library called NAME. Skipped with a message without cargo.
#     GO        package main of a Go module, built with -buildmode=c-shared. Skipped likewise without go.
#     ZIG       a root source file, built with -dynamic -O ReleaseSafe (of build type Debug: -O Debug). It imports the
#               kit as `loader` and, with BINDINGS zig, the contract by its name. Skipped without zig and ziglang.
#     BINDINGS  cpp, rust, go or zig: `loader bindings` writes <contract>.hpp (.rs, .go, .zig) into the folder, the
#               current one by default, when the header or one that it includes changes. Commit what it wrote: where
#               no Python has loader, that file is used, and it is an error if it was written from another header.
#     The contract's version is read from its header (LOADER_CONTRACT): CONTRACT_HEADER, or <contract>.h in
#     the current folder, or <contract>/<contract>.h among the loader's own headers.
#     Adds the test plugin.NAME: the plugin loads and exports both markers of the handshake, and the
#     fingerprint if the header says one for its version (LOADER_FINGERPRINT).
#
# loader_test_plugin(NAME [CASE label] [LEND service key=text]
#                    CALL function argument... GIVES text | FAILS part)
#
#     Adds the test plugin.NAME.<function>[.<label>]: a small host in C (check_plugin.c, where arguments are
#     described) calls the function and compares. In texts, \n \\ and \x2c are read as in C.
#
# Variables: LOADER_SANITIZE ("address,undefined"), LOADER_WARNINGS_AS_ERRORS, BUILD_TESTING, LOADER_PYTHON (with
# loader; OFF: use the files that are there), and CARGO_EXECUTABLE, GO_EXECUTABLE or ZIG_EXECUTABLE.
include_guard(GLOBAL)
cmake_policy(PUSH)
cmake_policy(VERSION 3.20...3.31)
include("${CMAKE_CURRENT_LIST_DIR}/LoaderBindings.cmake")

# The folder with loader/plugin.h: beside this one in a wheel, one level up in a checkout.
function(_loader_include_folder result)
    set(here "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
    foreach(folder "${here}/../include" "${here}/../../include")
        if(EXISTS "${folder}/loader/plugin.h")
            get_filename_component(folder "${folder}" ABSOLUTE)
            set(${result} "${folder}" PARENT_SCOPE)
            return()
        endif()
    endforeach()
    message(FATAL_ERROR "loader/plugin.h is not beside ${here}: install native-plugin-loader anew")
endfunction()

# A header and all that it includes: what stands beside it, and the loader's own. What it leaves out, and what is not
# found, is the system's.
function(_loader_included result header include)
    set(found "${header}")
    set(waiting "${header}")
    while(waiting)
        list(POP_FRONT waiting file)
        get_filename_component(beside "${file}" DIRECTORY)
        file(READ "${file}" text)
        string(REGEX MATCHALL "(^|\n)[ \t]*#[ \t]*include[ \t]*[\"<][^\">\n]+" lines "${text}")
        foreach(line IN LISTS lines)
            string(REGEX REPLACE "^.*[\"<]" "" name "${line}")
            foreach(folder "${beside}" "${include}")
                get_filename_component(path "${folder}/${name}" ABSOLUTE)
                if(EXISTS "${path}" AND NOT IS_DIRECTORY "${path}")
                    if(NOT path IN_LIST found)
                        list(APPEND found "${path}")
                        list(APPEND waiting "${path}")
                    endif()
                    break()
                endif()
            endforeach()
        endforeach()
    endwhile()
    set(${result} "${found}" PARENT_SCOPE)
endfunction()

# Reads a contract's headers. Sets contract_HEADER, contract_HEADERS (with all that it includes) and contract_MARKERS,
# the symbols of the handshake.
function(_loader_read_contract contract header)
    _loader_include_folder(include)
    if(NOT header)
        foreach(file "${CMAKE_CURRENT_SOURCE_DIR}/${contract}.h" "${include}/${contract}/${contract}.h")
            if(NOT header AND EXISTS "${file}")
                set(header "${file}")
            endif()
        endforeach()
    endif()
    get_filename_component(header "${header}" ABSOLUTE)
    if(NOT EXISTS "${header}" OR IS_DIRECTORY "${header}")
        message(FATAL_ERROR "no header of contract ${contract}: put ${contract}.h into "
                            "${CMAKE_CURRENT_SOURCE_DIR}, or name it with CONTRACT_HEADER")
    endif()
    file(STRINGS "${header}" line REGEX "^LOADER_CONTRACT\\(" LIMIT_COUNT 1)
    if(NOT line MATCHES "^LOADER_CONTRACT\\( *${contract} *, *([0-9]+) *, *([0-9]+) *\\)")
        message(FATAL_ERROR "${header} has no line LOADER_CONTRACT(${contract}, MAJOR, MINOR); "
                            "found: '${line}'")
    endif()
    set(markers "${contract}_abi_${CMAKE_MATCH_1}_${CMAKE_MATCH_2}")
    set(version " *${contract} *, *${CMAKE_MATCH_1} *, *${CMAKE_MATCH_2} *")
    file(STRINGS "${header}" line REGEX "^[ \t]*LOADER_FINGERPRINT\\(${version}," LIMIT_COUNT 1)
    if(line MATCHES ", *(0x[0-9a-f]+) *\\)")
        list(APPEND markers "${markers}_is_${CMAKE_MATCH_1}")
    endif()
    file(STRINGS "${include}/loader/plugin.h" line REGEX "^#define LOADER_ABI " LIMIT_COUNT 1)
    string(REGEX MATCH "[0-9]+" abi "${line}")
    _loader_included(headers "${header}" "${include}")
    list(APPEND headers "${include}/loader/plugin.h")
    list(REMOVE_DUPLICATES headers)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${headers})
    set(contract_MARKERS "loader_abi_${abi}" ${markers} PARENT_SCOPE)
    set(contract_HEADER "${header}" PARENT_SCOPE)
    set(contract_HEADERS "${headers}" PARENT_SCOPE)
endfunction()

function(loader_add_plugin name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "CONTRACT;CONTRACT_HEADER;CARGO;GO;ZIG" "SOURCES;LINK;BINDINGS")
    if(arg_UNPARSED_ARGUMENTS OR NOT arg_CONTRACT)
        message(FATAL_ERROR "loader_add_plugin(${name}): wanted CONTRACT name and SOURCES, CARGO, GO or ZIG; "
                            "not understood: '${arg_UNPARSED_ARGUMENTS}'")
    endif()
    _loader_read_contract("${arg_CONTRACT}" "${arg_CONTRACT_HEADER}")
    set(bindings_FILE "")
    set(bindings_STAMP "")
    set(bindings_TARGET "")
    if(arg_BINDINGS)
        _loader_add_bindings(${name} "${arg_CONTRACT}" ${arg_BINDINGS})
    endif()

    set(folder "${LOADER_PLUGIN_OUTPUT}")
    if(NOT folder)
        set(folder "${CMAKE_BINARY_DIR}/plugins/${arg_CONTRACT}")
    endif()
    set(suffix ".so")
    if(WIN32 OR CYGWIN)
        set(suffix ".dll")
    elseif(APPLE)
        set(suffix ".dylib")
    endif()
    set(file "${folder}/${name}${suffix}")

    if(arg_SOURCES)
        _loader_add_native(${name} "${folder}" "${suffix}" "${arg_SOURCES}" "${arg_LINK}")
    elseif(arg_CARGO)
        _loader_add_foreign(${name} cargo "${arg_CARGO}" "${file}")
    elseif(arg_GO)
        _loader_add_foreign(${name} go "${arg_GO}" "${file}")
    elseif(arg_ZIG)
        _loader_add_foreign(${name} zig "${arg_ZIG}" "${file}")
    else()
        message(FATAL_ERROR "loader_add_plugin(${name}): it is built from one of SOURCES, CARGO, GO and ZIG")
    endif()
    if(TARGET ${name})
        if(bindings_TARGET)
            add_dependencies(${name} ${bindings_TARGET})
        endif()
        set_target_properties(${name} PROPERTIES LOADER_PLUGIN_FILE "${file}"
                                                 LOADER_PLUGIN_MARKERS "${contract_MARKERS}")
        _loader_add_check(plugin.${name} ${name})
    endif()
endfunction()

# A plugin in C or C++.
function(_loader_add_native name folder suffix sources link)
    _loader_include_folder(include)
    add_library(${name} MODULE ${sources})
    # $<1:...> keeps generators with several configurations from adding a folder of their own.
    set_target_properties(${name} PROPERTIES
        PREFIX "" SUFFIX "${suffix}" LIBRARY_OUTPUT_DIRECTORY "$<1:${folder}>"
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    get_filename_component(beside "${contract_HEADER}" DIRECTORY)
    target_include_directories(${name} PRIVATE "${include}" "${CMAKE_CURRENT_SOURCE_DIR}" "${beside}")
    target_link_libraries(${name} PRIVATE ${link})
    _loader_compile_strictly(${name})
    if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
        # --exclude-libs: what a static library defines is not exported either.
        set(exports "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/exports.map")
        target_link_options(${name} PRIVATE -Wl,--exclude-libs,ALL "-Wl,--version-script=${exports}")
        set_target_properties(${name} PROPERTIES LINK_DEPENDS "${exports}")
        if(NOT LOADER_SANITIZE) # a sanitizer's runtime may be in the program only
            target_link_options(${name} PRIVATE -Wl,--no-undefined)
        endif()
    endif()
endfunction()

# Warnings and sanitizers, for plugins and for the check host.
function(_loader_compile_strictly target)
    if(MSVC)
        target_compile_options(${target} PRIVATE /W4 $<$<BOOL:${LOADER_WARNINGS_AS_ERRORS}>:/WX>)
        return()
    endif()
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                             $<$<BOOL:${LOADER_WARNINGS_AS_ERRORS}>:-Werror>)
    if(LOADER_SANITIZE)
        set(flags -fsanitize=${LOADER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_compile_options(${target} PRIVATE ${flags} -g)
        target_link_options(${target} PRIVATE ${flags})
    endif()
endfunction()

# A plugin that another build tool makes; LoaderForeign.cmake runs it and says what it depended on.
# Called by loader_add_plugin, whose contract_ variables it sees.
function(_loader_add_foreign name tool folder file)
    _loader_find_tool(executable ${tool})
    if(NOT executable)
        message(STATUS "loader: plugin ${name} is skipped: no ${tool} that runs was found")
        return()
    endif()
    get_filename_component(folder "${folder}" ABSOLUTE)
    set(manifest "${folder}/Cargo.toml")
    if(tool STREQUAL "go")
        set(manifest "${folder}/go.mod")
    elseif(tool STREQUAL "zig")
        set(manifest "${folder}") # the root source file
        get_filename_component(folder "${folder}" DIRECTORY)
    endif()
    if(NOT EXISTS "${manifest}")
        message(FATAL_ERROR "loader_add_plugin(${name}): ${manifest} does not exist")
    endif()
    _loader_include_folder(include)
    set(work "${CMAKE_CURRENT_BINARY_DIR}/${name}.${tool}")
    set(exports "")
    if(tool STREQUAL "go" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
        set(exports "${include}/go/exports.map") # go exports all of its C runtime; rustc hides by itself
    endif()
    set(script "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/LoaderForeign.cmake")
    add_custom_command(
        OUTPUT "${file}"
        COMMAND "${CMAKE_COMMAND}" "-DTOOL=${tool}" "-DEXECUTABLE=${executable}" "-DNAME=${name}"
                "-DSOURCE=${folder}" "-DOUTPUT=${file}" "-DWORK=${work}" "-DDEPFILE=${work}.d"
                "-DHEADERS=${contract_HEADERS}" "-DEXPORTS=${exports}" "-DCC=${CMAKE_C_COMPILER}"
                "-DSTRICT=${LOADER_WARNINGS_AS_ERRORS}" "-DROOT=${manifest}" "-DKIT=${include}/zig/loader.zig"
                "-DBINDINGS=${bindings_FILE}" "-DCONTRACT=${arg_CONTRACT}"
                "-DOPTIMIZE=$<IF:$<CONFIG:Debug>,Debug,ReleaseSafe>" -P "${script}"
        DEPENDS "${manifest}" "${script}" ${contract_HEADERS} ${exports} ${bindings_STAMP}
        DEPFILE "${work}.d"
        WORKING_DIRECTORY "${folder}"
        COMMENT "Building plugin ${name} with ${tool}"
        VERBATIM)
    add_custom_target(${name} ALL DEPENDS "${file}")
endfunction()

# The command cargo, go or zig, or an empty string. It is run: a shim without a toolchain behind it does not count. zig
# is also what pip installs as ziglang, which has no program of its own.
function(_loader_find_tool result tool)
    string(TOUPPER "${tool}" upper)
    find_program(${upper}_EXECUTABLE ${tool}
                 HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin" /usr/local/go/bin)
    if(tool STREQUAL "zig" AND NOT ZIG_EXECUTABLE)
        foreach(python IN ITEMS "${LOADER_PYTHON}" python3 python)
            if(NOT ZIG_EXECUTABLE AND python)
                execute_process(COMMAND "${python}" -m ziglang version RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
                if(status EQUAL 0)
                    set(ZIG_EXECUTABLE "${python};-m;ziglang" CACHE STRING "zig, or a Python with ziglang" FORCE)
                endif()
            endif()
        endforeach()
    endif()
    set(${result} "" PARENT_SCOPE)
    if(${upper}_EXECUTABLE)
        set(version --version)
        if(NOT tool STREQUAL "cargo")
            set(version version)
        endif()
        execute_process(COMMAND ${${upper}_EXECUTABLE} ${version}
                        RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
        if(status EQUAL 0)
            set(${result} "${${upper}_EXECUTABLE}" PARENT_SCOPE)
        endif()
    endif()
endfunction()

# The check host is built once a project. It is C: without that language there are no tests.
function(_loader_add_check test name)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if((DEFINED BUILD_TESTING AND NOT BUILD_TESTING) OR LOADER_ONLY_SHIPPED OR NOT "C" IN_LIST languages)
        return()
    endif()
    if(NOT TARGET loader-check-plugin)
        _loader_include_folder(include)
        add_executable(loader-check-plugin "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_plugin.c")
        target_include_directories(loader-check-plugin PRIVATE "${include}")
        target_link_libraries(loader-check-plugin PRIVATE ${CMAKE_DL_LIBS})
        set_target_properties(loader-check-plugin PROPERTIES
            C_STANDARD 11 C_STANDARD_REQUIRED ON RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/loader")
        _loader_compile_strictly(loader-check-plugin)
        if(LOADER_SANITIZE AND "CXX" IN_LIST languages)
            # clang keeps the C++ part of its sanitizers in the program; plugins in C++ look for it there.
            set_target_properties(loader-check-plugin PROPERTIES LINKER_LANGUAGE CXX)
        endif()
    endif()
    get_target_property(file ${name} LOADER_PLUGIN_FILE)
    get_target_property(markers ${name} LOADER_PLUGIN_MARKERS)
    set(command loader-check-plugin "${file}")
    foreach(marker IN LISTS markers)
        list(APPEND command --marker ${marker})
    endforeach()
    add_test(NAME ${test} COMMAND ${command} ${ARGN})
    set_tests_properties(${test} PROPERTIES TIMEOUT 60 LABELS plugin)
endfunction()

function(loader_test_plugin name)
    if(NOT TARGET ${name}) # its toolchain is missing; loader_add_plugin said so
        return()
    endif()
    # By hand and not by cmake_parse_arguments: texts may be empty or hold ';', which lists of CMake lose.
    set(words "")
    set(keyword "")
    math(EXPR last "${ARGC} - 1")
    foreach(index RANGE 1 ${last})
        string(REPLACE ";" "\\x3b" word "${ARGV${index}}")
        if(keyword MATCHES "^(GIVES|FAILS)$")
            string(TOLOWER "${keyword}" flag)
            list(APPEND words "--${flag}=${word}")
            set(keyword "")
        elseif(keyword MATCHES "^(CASE|CALL)$" AND NOT DEFINED ${keyword}_word)
            set(${keyword}_word "${word}")
            if(keyword STREQUAL "CALL")
                list(APPEND words --call "${word}")
            endif()
        elseif(word STREQUAL "LEND")
            list(APPEND words --lend)
        elseif(word MATCHES "^(CASE|CALL|GIVES|FAILS)$")
            set(keyword "${word}")
        else()
            list(APPEND words "${word}")
        endif()
    endforeach()
    if(NOT CALL_word OR NOT words MATCHES ";--(gives|fails)=")
        message(FATAL_ERROR "loader_test_plugin(${name}): wanted CALL function argument... "
                            "and GIVES text or FAILS text")
    endif()
    set(test plugin.${name}.${CALL_word})
    if(DEFINED CASE_word)
        string(APPEND test ".${CASE_word}")
    endif()
    _loader_add_check(${test} ${name} ${words})
endfunction()

cmake_policy(POP)
