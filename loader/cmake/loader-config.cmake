# Makes LoaderPlugin.cmake known to find_package:
#
#     cmake -Dloader_DIR="$(loader cmake-dir)" ...        find_package(loader CONFIG REQUIRED)
include("${CMAKE_CURRENT_LIST_DIR}/LoaderPlugin.cmake")
