# SPDX-License-Identifier: Apache-2.0
# Warnings for our own code. Linked privately, so they never reach a consumer.
add_library(safemodel_warnings INTERFACE)
target_compile_options(safemodel_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast>
  $<$<AND:$<BOOL:${SAFEMODEL_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)
# With a sanitizer's own code in between, g++ 12 warns of uninitialized members and overflows that cannot happen.
if(SAFEMODEL_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(safemodel_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized -Wno-stringop-overflow>)
endif()
