// SPDX-License-Identifier: Apache-2.0
// A service that reads encrypted models, with an identity from a key service (here: what comes on standard input):
//   decrypt_example MODEL.safemodel SIGNER.pub NAME < IDENTITY
#include <safemodel/model.h>

#include <array>
#include <cstdio>
#include <string_view>

#include <string.h>

// FetchIdentities is asked when a container is encrypted, and not before. Identity keeps the secret in guarded memory;
// the text of it is yours to wipe.
safemodel::Result<std::vector<safemodel::Identity>> FetchIdentities() {
  std::array<char, 4096> text{};
  const std::size_t size = std::fread(text.data(), 1, text.size(), stdin);  // the call to your key service
  auto identities = safemodel::Identity::FromText(std::string_view(text.data(), size));
  explicit_bzero(text.data(), text.size());
  return identities;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::setvbuf(stdin, nullptr, _IONBF, 0);  // no copy of it stays in a buffer
  const auto key = safemodel::PublicKey::FromFile(argv[2]);
  if (!key.ok()) return std::fprintf(stderr, "%s\n", key.error().text), 5;
  const auto policy = safemodel::Policy::AnyOf({key.value()});
  if (!policy.ok()) return std::fprintf(stderr, "%s\n", policy.error().text), 6;

  safemodel::OpenOptions options;
  options.identities = FetchIdentities;  // or safemodel::IdentitiesFrom({"/run/secrets/model.key", "env:MODEL_KEY"})
  const auto expected = safemodel::Expectation::Model(argv[3]);
  const auto model = safemodel::VerifiedModel::Open(argv[1], policy.value(), expected, options);
  if (!model.ok()) {
    std::fprintf(stderr, "%s (%s: %s)\n", model.error().text, safemodel::StageName(model.error().stage),
                 model.error().code);
    return model.error().stage == safemodel::Stage::kKey ? 5 : 1;
  }
  for (const safemodel::Tensor& tensor : model.value().tensors()) {
    safemodel::ByteBuffer bytes(tensor.bytes);  // the only place where the plain bytes are
    const auto read = model.value().Read(tensor, bytes);
    if (!read.ok()) return std::fprintf(stderr, "%s (%s)\n", read.error().text, read.error().code), 1;
    std::printf("%-8s %12zu bytes  %s\n", safemodel::DtypeName(tensor.dtype), bytes.size(), tensor.name.c_str());
  }
  return 0;
}
