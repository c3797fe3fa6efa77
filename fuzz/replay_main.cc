// SPDX-License-Identifier: Apache-2.0
// Replays a corpus through a fuzz target, so that what a fuzzer once found stays found under every compiler. Fails when
// there is nothing to replay: an empty corpus tests nothing and looks like success.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> InputsIn(const fs::path& path) {
  std::vector<fs::path> inputs;
  if (fs::is_regular_file(path)) inputs.push_back(path);
  if (fs::is_directory(path)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file()) inputs.push_back(entry.path());
    }
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

bool Replay(const fs::path& input) {
  std::ifstream file(input, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) {
    std::cerr << "cannot read " << input << '\n';
    return false;
  }
  // The name goes out first: when a property fails the process ends, and this line says on which input.
  std::cout << input.filename().string() << " (" << bytes.size() << " bytes)" << std::endl;
  // A fresh heap block of the exact size, so that a sanitizer sees a read one byte outside.
  const std::vector<std::uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t replayed = 0;
  for (int i = 1; i < argc; ++i) {
    const std::vector<fs::path> inputs = InputsIn(argv[i]);
    if (inputs.empty()) {
      std::cerr << "no inputs in " << argv[i] << '\n';
      return 1;
    }
    for (const fs::path& input : inputs) {
      if (!Replay(input)) return 1;
      ++replayed;
    }
  }
  std::cout << replayed << " inputs replayed" << std::endl;
  return replayed == 0 ? 1 : 0;
}
