# LoaderForeign.cmake: runs cargo, go or zig for one plugin, puts the result in its place and writes a depfile, so
# that the build is repeated when something changed that only these know about. LoaderPlugin.cmake runs it:
#
#     cmake -DTOOL=cargo|go|zig -DEXECUTABLE=command -DNAME=plugin -DSOURCE=folder -DOUTPUT=file -DWORK=folder
#           -DDEPFILE=file -DHEADERS=list -DEXPORTS=file -DCC=compiler -DSTRICT=bool
#           -DROOT=file -DKIT=file -DBINDINGS=file -DCONTRACT=name -DOPTIMIZE=mode -P LoaderForeign.cmake
#
# HEADERS: C headers that the plugin is built with. EXPORTS: a version script for the linker, or empty. STRICT: cargo's
# warnings are errors. For zig: EXECUTABLE may be a list, a Python and how it runs zig; ROOT is the first source, KIT
# loader.zig, BINDINGS what was generated for the contract CONTRACT, or empty, OPTIMIZE what its -O takes.
cmake_minimum_required(VERSION 3.20)

function(run)
    execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${SOURCE}" RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "plugin ${NAME}: the command\n  ${command}\nin ${SOURCE} ended with ${status}")
    endif()
endfunction()

# depends: absolute paths. Blanks are escaped as make and ninja want it.
function(write_depfile depends)
    set(line "")
    foreach(path IN LISTS OUTPUT depends)
        string(REPLACE " " "\\ " path "${path}")
        list(APPEND line "${path}")
    endforeach()
    list(POP_FRONT line target)
    list(JOIN line " \\\n  " line)
    file(WRITE "${DEPFILE}" "${target}: ${line}\n")
endfunction()

function(build_with_cargo)
    if(STRICT)
        set(ENV{RUSTFLAGS} "$ENV{RUSTFLAGS} -D warnings")
    endif()
    run("${EXECUTABLE}" build --release --lib --manifest-path "${SOURCE}/Cargo.toml" --target-dir "${WORK}")

    string(REPLACE "-" "_" crate "${NAME}")
    set(built "")
    foreach(candidate "lib${crate}.so" "lib${crate}.dylib" "${crate}.dll")
        if(EXISTS "${WORK}/release/${candidate}")
            set(built "${WORK}/release/${candidate}")
        endif()
    endforeach()
    if(NOT built)
        message(FATAL_ERROR "plugin ${NAME}: cargo built no cdylib called ${crate}: set [lib] "
                            "name = \"${crate}\" and crate-type = [\"cdylib\"] in ${SOURCE}/Cargo.toml")
    endif()
    configure_file("${built}" "${OUTPUT}" COPYONLY)
    file(TOUCH_NOCREATE "${OUTPUT}") # cargo keeps an old time where it had nothing to do

    # cargo's own list of sources is <library>.d: "output: source source ...". It leaves the manifests out.
    string(REGEX REPLACE "\\.[a-z]+$" ".d" list "${built}")
    file(READ "${list}" sources)
    string(REGEX REPLACE "^.*: " "" sources "${sources}")
    string(STRIP "${sources}" sources)
    string(REPLACE "\\ " "\t" sources "${sources}")
    string(REPLACE " " ";" sources "${sources}")
    string(REPLACE "\t" " " sources "${sources}")
    foreach(source IN LISTS sources)
        get_filename_component(folder "${source}" DIRECTORY)
        while(NOT EXISTS "${folder}/Cargo.toml" AND NOT folder MATCHES "^([A-Za-z]:)?/?$")
            get_filename_component(folder "${folder}" DIRECTORY)
        endwhile()
        foreach(manifest Cargo.toml Cargo.lock)
            if(EXISTS "${folder}/${manifest}")
                list(APPEND sources "${folder}/${manifest}")
            endif()
        endforeach()
    endforeach()
    list(REMOVE_DUPLICATES sources)
    write_depfile("${sources}")
endfunction()

function(build_with_go)
    # go does not notice a changed C header outside of its packages, but it notices changed flags.
    set(digests "")
    foreach(header IN LISTS HEADERS)
        file(SHA256 "${header}" digest)
        string(APPEND digests "${digest}")
    endforeach()
    string(SHA256 digest "${digests}")
    if("$ENV{CGO_CFLAGS}" STREQUAL "")
        set(ENV{CGO_CFLAGS} "-O2")
    endif()
    set(ENV{CGO_CFLAGS} "$ENV{CGO_CFLAGS} -DLOADER_HEADERS_DIGEST=0x${digest}")
    set(ENV{CGO_ENABLED} 1)
    if(CC AND "$ENV{CC}" STREQUAL "")
        set(ENV{CC} "${CC}")
    endif()
    set(flags "-s -w")
    if(EXPORTS)
        # Both quotes: go takes one pair away, its linker the other, and the path may hold blanks.
        string(APPEND flags " '-extldflags=\"-Wl,--version-script=${EXPORTS}\"'")
    endif()
    get_filename_component(file "${OUTPUT}" NAME)
    # -buildvcs=false: a checkout that git does not trust, or none at all, must not fail the build.
    run("${EXECUTABLE}" build -buildmode=c-shared -buildvcs=false -trimpath "-ldflags=${flags}"
        -o "${WORK}/${file}" .)
    configure_file("${WORK}/${file}" "${OUTPUT}" COPYONLY) # without the header that go writes beside it
    file(TOUCH_NOCREATE "${OUTPUT}")

    # Every file and folder (files may be added) of every package that is not Go's own, and the manifests.
    string(CONCAT format "{{if not .Standard}}{{$d := .Dir}}{{println $d}}"
           "{{range .GoFiles}}{{println $d \"/\" .}}{{end}}{{range .CgoFiles}}{{println $d \"/\" .}}{{end}}"
           "{{range .CFiles}}{{println $d \"/\" .}}{{end}}{{range .HFiles}}{{println $d \"/\" .}}{{end}}"
           "{{with .Module}}{{println .GoMod}}{{end}}{{end}}")
    execute_process(COMMAND "${EXECUTABLE}" list -deps -f "${format}" . WORKING_DIRECTORY "${SOURCE}"
                    RESULT_VARIABLE status OUTPUT_VARIABLE listed)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "plugin ${NAME}: 'go list' in ${SOURCE} ended with ${status}")
    endif()
    string(REPLACE " / " "/" listed "${listed}")
    string(REGEX REPLACE "\n+" ";" listed "${listed}")
    list(REMOVE_ITEM listed "")
    list(REMOVE_DUPLICATES listed)
    write_depfile("${listed}")
endfunction()

function(build_with_zig)
    get_filename_component(file "${OUTPUT}" NAME)
    set(modules --dep loader "-Mroot=${ROOT}")
    if(BINDINGS)
        list(PREPEND modules --dep "${CONTRACT}")
        list(APPEND modules --dep loader "-M${CONTRACT}=${BINDINGS}")
    endif()
    # Its cache tells what changed by contents. -fPIC and -dynamic: a library with a name of its own.
    run(${EXECUTABLE} build-lib -dynamic -fPIC -O "${OPTIMIZE}" --name "${NAME}" --cache-dir "${WORK}/cache"
        ${modules} "-Mloader=${KIT}" "-femit-bin=${WORK}/${file}")
    configure_file("${WORK}/${file}" "${OUTPUT}" COPYONLY)
    file(TOUCH_NOCREATE "${OUTPUT}")
    # Every source beside the first one and below: which of them it imports only zig knows.
    file(GLOB_RECURSE sources "${SOURCE}/*.zig")
    write_depfile("${sources};${KIT};${BINDINGS}")
endfunction()

file(MAKE_DIRECTORY "${WORK}")
if(TOOL STREQUAL "cargo")
    build_with_cargo()
elseif(TOOL STREQUAL "go")
    build_with_go()
else()
    build_with_zig()
endif()
