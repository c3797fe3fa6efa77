# SPDX-License-Identifier: Apache-2.0
# Libraries of the distribution, found and never vendored. docs/dependencies.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
find_package(ZLIB REQUIRED)
pkg_check_modules(LZMA REQUIRED IMPORTED_TARGET liblzma)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
find_package(BZip2 REQUIRED)  # Debian's package of it has no .pc file
find_package(nlohmann_json 3.11 REQUIRED)
pkg_check_modules(TOMLPLUSPLUS REQUIRED tomlplusplus>=3.3)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h HINTS ${TOMLPLUSPLUS_INCLUDE_DIRS} REQUIRED)
find_program(FLATC flatc REQUIRED)
find_path(FLATBUFFERS_INCLUDE_DIR flatbuffers/flatbuffers.h REQUIRED)
include(FindBlake3)

# What every program with the library's objects in it links.
set(SAFEMODEL_THIRD_PARTY PkgConfig::SODIUM PkgConfig::ZSTD PkgConfig::LZMA PkgConfig::LZ4 ZLIB::ZLIB BZip2::BZip2)
add_library(safemodel_third_party INTERFACE)
target_link_libraries(safemodel_third_party INTERFACE ${SAFEMODEL_THIRD_PARTY})
