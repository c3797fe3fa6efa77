// SPDX-License-Identifier: Apache-2.0
// Loads every tensor of a signed model:  load_example MODEL.safemodel SIGNER.pub NAME
#include <safemodel/model.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto key = safemodel::PublicKey::FromFile(argv[2]);
  if (!key.ok()) return std::fprintf(stderr, "%s\n", key.error().text), 5;
  const auto policy = safemodel::Policy::AnyOf({key.value()});  // one signature by this key, in role builder
  if (!policy.ok()) return std::fprintf(stderr, "%s\n", policy.error().text), 6;
  const auto model = safemodel::VerifiedModel::Open(argv[1], policy.value(), safemodel::Expectation::Model(argv[3]));
  if (!model.ok()) return std::fprintf(stderr, "%s (%s)\n", model.error().text, model.error().code), 1;

  for (const safemodel::Tensor& tensor : model.value().tensors()) {
    safemodel::ByteBuffer bytes(tensor.bytes);  // or memory of your own: Read fills it completely or zeroes it
    const auto read = model.value().Read(tensor, bytes);
    if (!read.ok()) return std::fprintf(stderr, "%s (%s)\n", read.error().text, read.error().code), 1;
    std::printf("%-8s %12zu bytes  %s\n", safemodel::DtypeName(tensor.dtype), bytes.size(), tensor.name.c_str());
  }
  return 0;
}
