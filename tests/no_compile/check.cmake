# SPDX-License-Identifier: Apache-2.0
# Each case here compiles as it is, which shows that nothing else is wrong with it, and must not compile with MISUSE
# defined; the compiler's complaint has to match the case's line "// expect: REGEX".
#   cmake -DSOURCE_DIR=... -DCXX=... -P check.cmake
file(GLOB cases ${SOURCE_DIR}/tests/no_compile/*.cc)
list(LENGTH cases count)
if(count EQUAL 0)
  message(FATAL_ERROR "no cases")
endif()
set(compile ${CXX} -std=c++20 -fsyntax-only -Werror=unused-result -Werror=deprecated-declarations
  -I${SOURCE_DIR}/libsafemodel/include -I${SOURCE_DIR}/libsafemodel)
foreach(case IN LISTS cases)
  get_filename_component(name ${case} NAME)
  file(STRINGS ${case} expected REGEX "^// expect: ")
  string(REGEX REPLACE "^// expect: " "" expected "${expected}")
  execute_process(COMMAND ${compile} ${case} RESULT_VARIABLE code ERROR_VARIABLE complaint)
  if(NOT code EQUAL 0)
    message(SEND_ERROR "${name}: the control does not compile\n${complaint}")
  endif()
  execute_process(COMMAND ${compile} -DMISUSE ${case} RESULT_VARIABLE code ERROR_VARIABLE complaint)
  if(code EQUAL 0)
    message(SEND_ERROR "${name}: the misuse compiles")
  elseif(expected STREQUAL "" OR NOT complaint MATCHES "${expected}")
    message(SEND_ERROR "${name}: fails for another reason than '${expected}'\n${complaint}")
  else()
    message(STATUS "${name}: refused")
  endif()
endforeach()
message(STATUS "${count} misuses")
