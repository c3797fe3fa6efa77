// SPDX-License-Identifier: Apache-2.0
// Loads all tensors of a container into memory of the caller, as a service does, and prints the seconds of each round.
//
//   load_tensors FILE PUBKEY THREADS ROUNDS [IDENTITY]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <safemodel/model.h>

namespace {

int Fail(const safemodel::Error& error) {
  std::fprintf(stderr, "%s: %s\n", error.code, error.text);
  return 1;
}

safemodel::Result<safemodel::VerifiedModel> Open(char** argv, const safemodel::OpenOptions& options) {
  auto key = safemodel::PublicKey::FromFile(argv[2]);
  if (!key.ok()) return key.error();
  auto policy = safemodel::Policy::AnyOf({key.value()});
  if (!policy.ok()) return policy.error();
  return safemodel::VerifiedModel::Open(argv[1], policy.value(), safemodel::Expectation::Any(), options);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) return 2;
  safemodel::OpenOptions options;
  options.threads = static_cast<unsigned>(std::atoi(argv[3]));
  if (argc == 6) options.identities = safemodel::IdentitiesFrom({argv[5]});
  std::vector<safemodel::ByteBuffer> buffers;
  for (int round = std::atoi(argv[4]); round > 0; --round) {
    const auto begin = std::chrono::steady_clock::now();
    auto model = Open(argv, options);
    if (!model.ok()) return Fail(model.error());
    const auto tensors = model.value().tensors();
    const bool first = buffers.empty();
    std::vector<safemodel::VerifiedModel::Request> requests;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (first) buffers.emplace_back(static_cast<std::size_t>(tensors[i].bytes));
      requests.push_back({&tensors[i], buffers[i]});
    }
    if (const auto read = model.value().ReadMany(requests); !read.ok()) return Fail(read.error());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (!first) std::printf("%.4f\n", took.count());  // the first round makes the buffers
  }
  return 0;
}
