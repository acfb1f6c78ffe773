# LoaderBindings.cmake: the BINDINGS of loader_add_plugin: generated again when the contract's header or what it
# includes changed, where a Python has loader; otherwise the file that is there, if it was generated from this header.
# LoaderPlugin.cmake includes it.

# Sets LOADER_PYTHON in the cache: a Python in which this package works, or OFF. It runs in the folder that holds the
# package, so that it takes this very one, installed or not.
function(_loader_find_python)
    get_filename_component(top "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../.." ABSOLUTE)
    if(NOT DEFINED LOADER_PYTHON)
        set(LOADER_PYTHON OFF CACHE FILEPATH "A Python with loader, to generate bindings; OFF: none")
        foreach(name python3 python)
            find_program(LOADER_PYTHON_${name} ${name})
            if(NOT LOADER_PYTHON AND LOADER_PYTHON_${name})
                execute_process(COMMAND "${LOADER_PYTHON_${name}}" -c "import loader.cli.bindings"
                                WORKING_DIRECTORY "${top}" RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
                if(status EQUAL 0)
                    set_property(CACHE LOADER_PYTHON PROPERTY VALUE "${LOADER_PYTHON_${name}}")
                endif()
            endif()
        endforeach()
    endif()
    set(loader_TOP "${top}" PARENT_SCOPE)
endfunction()

# Called by loader_add_plugin, whose contract_ variables it sees. Sets bindings_FILE, and what the plugin depends on, or
# empty strings: bindings_STAMP, a file, and bindings_TARGET, which makes it.
function(_loader_add_bindings name contract language)
    set(suffix_cpp hpp)
    set(suffix_rust rs)
    set(suffix_go go)
    set(suffix_zig zig)
    if(NOT DEFINED suffix_${language} OR ARGC GREATER 4)
        message(FATAL_ERROR "loader_add_plugin(${name}): BINDINGS is cpp, rust, go or zig, and a folder; "
                            "found: '${language}' ${ARGN}")
    endif()
    get_filename_component(folder "${ARGN}" ABSOLUTE) # the current one, if none is given
    set(file "${folder}/${contract}.${suffix_${language}}")
    set(bindings_FILE "${file}" PARENT_SCOPE)
    _loader_find_python()
    if(NOT LOADER_PYTHON)
        _loader_check_bindings(${name} "${file}" ${language})
        return()
    endif()
    # One target for all plugins that share the file: two would write it at the same time, and Ninja takes no two.
    string(SHA256 digest "${file}")
    string(SUBSTRING "${digest}" 0 12 digest)
    set(target "loader-bindings-${contract}-${language}-${digest}")
    set(stamp "${CMAKE_BINARY_DIR}/loader/${target}.stamp")
    if(NOT TARGET ${target})
        file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/loader")
        file(GLOB generator "${loader_TOP}/loader/author/bindings/*.py")
        add_custom_command(
            OUTPUT "${stamp}"
            BYPRODUCTS "${file}"
            COMMAND "${LOADER_PYTHON}" -m loader bindings "${contract_HEADER}" --lang ${language} -o "${folder}"
            COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
            DEPENDS ${contract_HEADERS} ${generator}
            WORKING_DIRECTORY "${loader_TOP}"
            COMMENT "Generating bindings ${file}"
            VERBATIM)
        add_custom_target(${target} DEPENDS "${stamp}")
    endif()
    set(bindings_STAMP "${stamp}" PARENT_SCOPE)
    set(bindings_TARGET "${target}" PARENT_SCOPE)
endfunction()

# Without Python: the file must be there and be of this header, or C and the plugin would not agree on what is passed.
# Looked at when CMake is run, which it is again when the header changes.
function(_loader_check_bindings name file language)
    set(cure "Write it where Python has loader: loader bindings ${contract_HEADER} --lang ${language} -o DIR")
    if(NOT EXISTS "${file}")
        message(FATAL_ERROR "plugin ${name}: ${file} does not exist. ${cure}")
    endif()
    file(READ "${contract_HEADER}" text)
    string(REPLACE "\r\n" "\n" text "${text}")
    string(SHA256 digest "${text}")
    file(STRINGS "${file}" line REGEX "^// Of a header with the SHA-256 " LIMIT_COUNT 1)
    if(NOT line STREQUAL "// Of a header with the SHA-256 ${digest}")
        message(FATAL_ERROR "plugin ${name}: ${file} was generated from another header. ${cure}")
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
endfunction()
