// SPDX-License-Identifier: Apache-2.0
// What a service does when a model is put in front of it:  serve_example MODEL.safemodel POLICY.toml NAME
#include <safemodel/model.h>

#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

// LoadForService returns an open model that the policy accepts under this very name. Keep it as long as you serve: it
// reads from the file that was checked, whatever happens to the path.
std::optional<safemodel::VerifiedModel> LoadForService(const char* path, const char* policy_path, const char* name) {
  const auto policy = safemodel::Policy::FromFile(policy_path);  // again for each model: an incident changes this file
  if (!policy.ok()) {
    std::fprintf(stderr, "policy: %s (%s) %s\n", policy.error().text, policy.error().code,
                 policy.error().subject.c_str());
    return std::nullopt;
  }
  auto model = safemodel::VerifiedModel::Open(path, policy.value(), safemodel::Expectation::Model(name));
  if (!model.ok()) {  // the code is stable: alert on it
    std::fprintf(stderr, "refused: %s (%s)\n", model.error().text, model.error().code);
    return std::nullopt;
  }
  return std::move(model).value();
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto model = LoadForService(argv[1], argv[2], argv[3]);
  if (!model) return 1;
  std::vector<safemodel::ByteBuffer> weights;
  std::vector<safemodel::VerifiedModel::Request> requests;
  weights.reserve(model->tensors().size());
  for (const safemodel::Tensor& tensor : model->tensors()) {
    weights.emplace_back(tensor.bytes);
    requests.push_back({&tensor, weights.back()});
  }
  const auto read = model->ReadMany(requests);  // every chunk is checked now; on failure nothing is left in `weights`
  if (!read.ok()) return std::fprintf(stderr, "refused: %s (%s)\n", read.error().text, read.error().code), 1;
  std::printf("serving %s version %s, %zu tensors\n", model->info().name.c_str(), model->info().version.c_str(),
              weights.size());
  return 0;
}
