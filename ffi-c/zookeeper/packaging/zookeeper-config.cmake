# find_package(zookeeper CONFIG) brings the target zookeeper::zookeeper_mt.
# Lies in <prefix>/lib/cmake/zookeeper.
get_filename_component(_zookeeper_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET zookeeper::zookeeper_mt)
    add_library(zookeeper::zookeeper_mt SHARED IMPORTED)
    set_target_properties(zookeeper::zookeeper_mt PROPERTIES
        IMPORTED_LOCATION "${_zookeeper_prefix}/lib/libzookeeper_mt.so.2"
        IMPORTED_SONAME "libzookeeper_mt.so.2"
        INTERFACE_INCLUDE_DIRECTORIES
            "${_zookeeper_prefix}/include;${_zookeeper_prefix}/include/zookeeper"
        INTERFACE_COMPILE_DEFINITIONS "THREADED")
endif()
unset(_zookeeper_prefix)
