# SPDX-License-Identifier: Apache-2.0
# What tools/demo and tools/test share: installs what is missing on Debian 12, makes the virtual environment, builds.
# Meant to be sourced with the project's root as the working directory. Everything is skipped when it is there already.

build_packages=(cmake ninja-build g++ pkg-config libsodium-dev libzstd-dev zlib1g-dev libbz2-dev liblzma-dev liblz4-dev libflatbuffers-dev flatbuffers-compiler
  libcli11-dev doctest-dev nlohmann-json3-dev libtomlplusplus-dev librust-blake3-dev python3 python3-venv)
test_packages=(age minisign openssh-client openssl zstd git)
sanitizer_packages=(clang libclang-rt-14-dev llvm ccache)

say() { printf '\n== %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages NAME...: installs the Debian packages that are missing; no network when none is.
install_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "Installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# make_venv FOLDER REQUIREMENTS: a virtual environment with exactly these pinned packages. A stamp with the digest of the list
# makes the second run instant.
make_venv() {
  local folder=$1 requirements=$2 stamp
  stamp=$(sha256sum <"$requirements")
  [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ] && return 0
  say "Installing the Python packages of $requirements"
  [ -x "$folder/bin/python" ] || python3 -m venv "$folder"
  # PyTorch first and alone: its index may offer builds that the other packages would pull in otherwise.
  local torch
  torch=$(grep '^torch==' "$requirements" || true)
  [ -z "$torch" ] || "$folder/bin/python" -m pip install -q --disable-pip-version-check "$torch"
  "$folder/bin/python" -m pip install -q --disable-pip-version-check -r "$requirements"
  printf '%s\n' "$stamp" >"$folder/.stamp"
}

# build_preset NAME [TARGET...]: configures and builds one preset into build/NAME, through ccache when there is one.
build_preset() {
  local preset=$1 launcher=()
  shift
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
  say "Building the $preset preset"
  cmake --preset "$preset" "${launcher[@]}" >"build/$preset.log" 2>&1 || { cat "build/$preset.log"; return 1; }
  if [ $# -eq 0 ]; then cmake --build "build/$preset"; else cmake --build "build/$preset" --target "$@"; fi
}
