# Every library is a Debian 12 package; scripts/setup installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(pq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(archive REQUIRED IMPORTED_TARGET libarchive)
pkg_check_modules(crypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(xml REQUIRED IMPORTED_TARGET libxml-2.0)
pkg_check_modules(ini REQUIRED IMPORTED_TARGET ini_config)

# libpg_query has no pkg-config file.
find_path(PG_QUERY_INCLUDE pg_query.h REQUIRED)
find_library(PG_QUERY_LIBRARY pg_query REQUIRED)
add_library(pg_query INTERFACE)
target_include_directories(pg_query SYSTEM INTERFACE ${PG_QUERY_INCLUDE})
target_link_libraries(pg_query INTERFACE ${PG_QUERY_LIBRARY})
