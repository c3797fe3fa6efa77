// SPDX-License-Identifier: Apache-2.0
#include <safemodel/model.h>

#include <algorithm>

#include <safemodel/unverified.h>

#include "base/clock.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "model/loaded_model.h"
#include "trust/rollback.h"

namespace safemodel {

struct VerifiedModel::Impl {
  std::unique_ptr<LoadedModel> loaded;
};

VerifiedModel VerifiedModelAccess::Make(std::unique_ptr<LoadedModel> loaded) {
  return VerifiedModel(std::make_unique<VerifiedModel::Impl>(VerifiedModel::Impl{std::move(loaded)}));
}

const LoadedModel& VerifiedModelAccess::Of(const VerifiedModel& model) { return *model.impl_->loaded; }

VerifiedModel::VerifiedModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
VerifiedModel::VerifiedModel(VerifiedModel&&) noexcept = default;
VerifiedModel& VerifiedModel::operator=(VerifiedModel&&) noexcept = default;
VerifiedModel::~VerifiedModel() = default;

namespace {

// OpenAccepted loads what a policy accepted, and has it remembered once nothing can be refused any more.
Result<VerifiedModel> OpenAccepted(trust::TrustedManifest trusted, const Policy& policy, std::int64_t now,
                                   const OpenOptions& options) {
  const bool remembered = trusted.accepted();
  const trust::Release release = trust::ReleaseOf(trusted.manifest());
  SAFEMODEL_ASSIGN(auto loaded, LoadModel(std::move(trusted), options));
  SAFEMODEL_TRY(trust::CheckContentDenials(policy, loaded->info.content_digest));
  if (remembered) SAFEMODEL_TRY(trust::RememberRelease(policy, release, loaded->info.manifest_digest, now));
  return VerifiedModelAccess::Make(std::move(loaded));
}

}  // namespace

Result<VerifiedModel> VerifiedModel::Open(const std::string& path, const Policy& policy, const Expectation& expectation,
                                          const OpenOptions& options) {
  return CatchOutOfMemory([&]() -> Result<VerifiedModel> {
    SAFEMODEL_ASSIGN(auto opened, trust::OpenContainer(path, options.envelope_path, options.limits));
    const std::int64_t now = NowUnless(options.now);
    SAFEMODEL_ASSIGN(auto trusted, trust::Authenticate(std::move(opened), policy, expectation, now, options.limits));
    return OpenAccepted(std::move(trusted), policy, now, options);
  });
}

Result<VerifiedModel> VerifiedModel::OpenInPolicyMode(const std::string& path, const Policy& policy,
                                                      const Expectation& expectation, InsecurePolicyMode token,
                                                      const OpenOptions& options) {
  return CatchOutOfMemory([&]() -> Result<VerifiedModel> {
    SAFEMODEL_ASSIGN(auto opened, trust::OpenContainer(path, options.envelope_path, options.limits));
    const std::int64_t now = NowUnless(options.now);
    SAFEMODEL_ASSIGN(auto trusted, trust::AuthenticateInPolicyMode(std::move(opened), policy, expectation, now, token,
                                                                   options.limits));
    return OpenAccepted(std::move(trusted), policy, now, options);
  });
}

Result<VerifiedModel> OpenUnverified(const std::string& path, InsecureSkipVerification token,
                                     const OpenOptions& options) {
  return CatchOutOfMemory([&]() -> Result<VerifiedModel> {
    SAFEMODEL_ASSIGN(auto opened, trust::OpenContainer(path, options.envelope_path, options.limits));
    SAFEMODEL_ASSIGN(auto trusted, trust::SkipAuthentication(std::move(opened), token, options.limits));
    SAFEMODEL_ASSIGN(auto loaded, LoadModel(std::move(trusted), options));
    return VerifiedModelAccess::Make(std::move(loaded));
  });
}

const ModelInfo& VerifiedModel::info() const { return impl_->loaded->info; }
const std::vector<SignatureReport>& VerifiedModel::signatures() const {
  return impl_->loaded->store->trusted().signatures();
}
const std::optional<Error>& VerifiedModel::let_pass() const { return impl_->loaded->store->trusted().let_pass(); }
std::span<const Tensor> VerifiedModel::tensors() const { return impl_->loaded->tensors; }
std::span<const ElementType> VerifiedModel::element_types() const { return impl_->loaded->element_types; }
std::span<const PackedFile> VerifiedModel::files() const { return impl_->loaded->files; }
const ValueTree& VerifiedModel::tree() const { return impl_->loaded->tree; }

Result<const Tensor*> VerifiedModel::Find(std::string_view name) const {
  const std::vector<Tensor>& tensors = impl_->loaded->tensors;
  // Ascending by bytes: the directory was refused otherwise [D-NAMES].
  const auto found =
      std::lower_bound(tensors.begin(), tensors.end(), name,
                       [](const Tensor& tensor, std::string_view wanted) { return tensor.name < wanted; });
  if (found != tensors.end() && found->name == name) return &*found;
  return Error{Stage::kUsage, "no_such_tensor", "the model has no tensor of this name", kNoOffset, std::string(name)};
}

Status VerifiedModel::Read(const Tensor& tensor, MutableBytes out) const {
  const Request request{&tensor, out};
  return ReadTensors(*impl_->loaded, {&request, 1}, {});
}

Status VerifiedModel::ReadRows(const Tensor& tensor, std::uint64_t first, std::uint64_t count, MutableBytes out) const {
  return ReadTensorRows(*impl_->loaded, tensor, {first, count}, out);
}

Status VerifiedModel::ReadMany(std::span<const Request> requests, const Progress& progress) const {
  return ReadTensors(*impl_->loaded, requests, progress);
}

Result<MappedView> VerifiedModel::View(const Tensor& tensor) const {
  return CatchOutOfMemory([&] { return ViewTensor(*impl_->loaded, tensor); });
}

Result<ByteBuffer> VerifiedModel::ReadFile(const PackedFile& file) const {
  return CatchOutOfMemory([&]() -> Result<ByteBuffer> {
    const LoadedModel& model = *impl_->loaded;
    // Ascending by bytes: the directory was refused otherwise.
    const auto found =
        std::lower_bound(model.files.begin(), model.files.end(), file.path,
                         [](const PackedFile& packed, const std::string& wanted) { return packed.path < wanted; });
    if (found == model.files.end() || found->path != file.path)
      return Error{Stage::kUsage, "no_such_file", "the model has no file of this path", kNoOffset, file.path};
    return model.store->ReadWhole(model.file_objects[static_cast<std::size_t>(found - model.files.begin())]);
  });
}

Status VerifiedModel::CheckAll(const Progress& progress) const {
  return CatchOutOfMemory([&] { return CheckStored(*impl_->loaded->store, impl_->loaded->threads, progress); });
}

Status VerifiedModel::CheckContent(const Progress& progress) const {
  return CatchOutOfMemory([&] { return safemodel::CheckContent(*impl_->loaded, progress); });
}

}  // namespace safemodel
