# loader-config.cmake: makes LoaderPlugin.cmake known to find_package.
#
#     cmake -Dloader_DIR="$(python3 -m loader.author.sdk cmake)" ...     and     find_package(loader CONFIG REQUIRED)
include("${CMAKE_CURRENT_LIST_DIR}/LoaderPlugin.cmake")
