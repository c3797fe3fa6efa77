// SPDX-License-Identifier: Apache-2.0
// A program outside the project: it sees the installed headers and library, and nothing else.
#include <cstdio>
#include <cstring>

#include <safemodel/model.h>
#include <safemodel/sign.h>

int main() {
  auto key = safemodel::SecretKey::Generate();
  if (!key.ok()) return 1;
  auto policy = safemodel::Policy::AnyOf({key.value().public_key()});
  if (!policy.ok()) return 1;
  const auto model =
      safemodel::VerifiedModel::Open("no-such-file.safemodel", policy.value(), safemodel::Expectation::Any());
  if (model.ok() || std::strcmp(safemodel::StageName(model.error().stage), "io") != 0) return 1;
  std::puts("consumer: ok");
  return 0;
}
