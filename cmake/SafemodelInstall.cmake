# SPDX-License-Identifier: Apache-2.0
# What is installed: the library, its public headers, a CMake package and a .pc file, both relocatable. Neither carries our
# warnings, hardening or sanitizers to a consumer.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(safemodel PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
install(TARGETS safemodel EXPORT safemodelTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/libsafemodel/include/safemodel TYPE INCLUDE FILES_MATCHING PATTERN "*.h")

set(safemodel_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/safemodel)
install(EXPORT safemodelTargets NAMESPACE safemodel:: DESTINATION ${safemodel_package_dir})

# A static library leaves linking its dependencies to the consumer, who therefore has to find them.
get_target_property(safemodel_type safemodel TYPE)
set(safemodel_private_modules libsodium libzstd liblzma liblz4 zlib)
if(BLAKE3_FOUND)
  list(APPEND safemodel_private_modules libblake3)
  set(SAFEMODEL_CONFIG_BLAKE3 BLAKE3=libblake3)
endif()
list(JOIN safemodel_private_modules " " SAFEMODEL_PC_MODULES)
if(safemodel_type STREQUAL "STATIC_LIBRARY")
  set(SAFEMODEL_IS_STATIC ON)
  set(SAFEMODEL_PC_REQUIRES "Requires")
  set(SAFEMODEL_PC_STATIC_LIBS " -lbz2")  # has no .pc file
else()
  set(SAFEMODEL_IS_STATIC OFF)
  set(SAFEMODEL_PC_REQUIRES "Requires.private")
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/safemodelConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/safemodelConfig.cmake INSTALL_DESTINATION ${safemodel_package_dir})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/safemodelConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/safemodelConfig.cmake ${PROJECT_BINARY_DIR}/package/safemodelConfigVersion.cmake
  DESTINATION ${safemodel_package_dir})

# The .pc file finds its prefix from where it lies.
set(safemodel_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH SAFEMODEL_PC_PREFIX /prefix/${safemodel_pc_dir} /prefix)
string(REGEX REPLACE "/$" "" SAFEMODEL_PC_PREFIX ${SAFEMODEL_PC_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/safemodel.pc.in ${PROJECT_BINARY_DIR}/package/safemodel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/safemodel.pc DESTINATION ${safemodel_pc_dir})
