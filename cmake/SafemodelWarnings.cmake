# SPDX-License-Identifier: Apache-2.0
# Warnings for our own code. Linked privately, so they never reach a consumer.
add_library(safemodel_warnings INTERFACE)
target_compile_options(safemodel_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast>
  $<$<AND:$<BOOL:${SAFEMODEL_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)
# g++ 12 with -fsanitize=thread takes the unused members of a moved variant for uninitialized ones.
if(SAFEMODEL_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(safemodel_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
endif()
