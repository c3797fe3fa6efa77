# SPDX-License-Identifier: Apache-2.0
# Hardening and sanitizers for our own code; every flag is probed. Linked privately.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)
add_library(safemodel_hardening INTERFACE)

function(safemodel_probe_compile flag)
  string(MAKE_C_IDENTIFIER "SAFEMODEL_HAS_${flag}" variable)
  check_cxx_compiler_flag("${flag}" ${variable})
  if(${variable})
    target_compile_options(safemodel_hardening INTERFACE ${flag})
  endif()
endfunction()

function(safemodel_probe_link flag)
  string(MAKE_C_IDENTIFIER "SAFEMODEL_LINKS_${flag}" variable)
  check_linker_flag(CXX "${flag}" ${variable})
  if(${variable})
    target_link_options(safemodel_hardening INTERFACE ${flag})
  endif()
endfunction()

if(SAFEMODEL_BUILD_FUZZERS)
  # Coverage feedback for libFuzzer in all of our code; only the fuzz programs link its main function.
  target_compile_options(safemodel_hardening INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(safemodel_hardening INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(SAFEMODEL_SANITIZE)
  target_compile_options(safemodel_hardening INTERFACE -fsanitize=${SAFEMODEL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(safemodel_hardening INTERFACE -fsanitize=${SAFEMODEL_SANITIZE})
elseif(SAFEMODEL_HARDENING)
  safemodel_probe_compile(-fstack-protector-strong)
  safemodel_probe_compile(-fstack-clash-protection)
  safemodel_probe_compile(-fcf-protection=full)
  target_compile_definitions(safemodel_hardening INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2> $<$<CXX_COMPILER_ID:GNU>:_GLIBCXX_ASSERTIONS>)
  safemodel_probe_link(-Wl,-z,relro,-z,now)
  safemodel_probe_link(-Wl,-z,noexecstack)
endif()
