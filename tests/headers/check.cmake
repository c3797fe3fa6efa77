# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, twice in a row, without a warning, and with nothing but the standard library in reach.
#   cmake -DSOURCE_DIR=... -DCXX=... -P check.cmake
set(include_dir ${SOURCE_DIR}/libsafemodel/include)
file(GLOB headers RELATIVE ${include_dir} ${include_dir}/safemodel/*.h)
list(LENGTH headers count)
if(count EQUAL 0)
  message(FATAL_ERROR "no public headers")
endif()
foreach(header IN LISTS headers)
  execute_process(COMMAND ${CXX} -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
      -I${include_dir} -include ${header} -include ${header} -x c++ /dev/null
    RESULT_VARIABLE code ERROR_VARIABLE complaint)
  if(NOT code EQUAL 0)
    message(SEND_ERROR "${header} does not compile alone\n${complaint}")
  endif()
endforeach()
message(STATUS "${count} headers")
