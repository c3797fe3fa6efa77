# SPDX-License-Identifier: Apache-2.0
# The target `tidy` runs clang-tidy with .clang-tidy over the library and the command line.
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_program(RUN_CLANG_TIDY NAMES run-clang-tidy run-clang-tidy-14)
if(RUN_CLANG_TIDY)
  add_custom_target(tidy
    COMMAND ${RUN_CLANG_TIDY} -quiet -p ${PROJECT_BINARY_DIR} "^${PROJECT_SOURCE_DIR}/(libsafemodel|cli)/.*"
    USES_TERMINAL VERBATIM COMMENT "clang-tidy")
endif()
