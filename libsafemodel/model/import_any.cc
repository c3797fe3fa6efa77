// SPDX-License-Identifier: Apache-2.0
#include "model/import_any.h"

#include <algorithm>

#include "base/cursor.h"
#include "base/try.h"
#include "container/format.h"
#include "formats/safetensors.h"
#include "pickle/findings.h"
#include "pickle/import.h"
#include "pickle/scan.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kHeadBytes = 16;

Result<ByteBuffer> HeadOf(const File& file) {
  return ReadRange(file, 0, std::min(kHeadBytes, file.size()), kHeadBytes);
}

bool StartsWith(ByteView head, ByteView bytes) {
  return head.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), head.begin());
}

Status RefuseOthers(const File& file, ByteView head) {
  if (StartsWith(head, container::kMagic)) {
    return Error{Stage::kUsage, "is_container", "the input is a safemodel container already"};
  }
  SAFEMODEL_ASSIGN(const char* format, pickle::ForeignFormat(file));
  if (format != nullptr) {
    return Error{Stage::kUnsupported, "FILE-UNSUPPORTED",
                 "this format is not read; convert it to safetensors with its own tools", 0, format};
  }
  return {};
}

// RefusePolyglot asks the scanner too: a file that others understand as well shows each of its readers another model.
Status RefusePolyglot(const std::shared_ptr<const File>& file, const Limits& limits) {
  pickle::ImportOptions options;
  options.limits = limits;
  pickle::Findings findings;
  SAFEMODEL_ASSIGN(const pickle::ScanClaim other, pickle::ScanSource(file, options, findings));
  if (other.layout.empty() && findings.worst() == ScanVerdict::kClean) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT",
               "this file is both safetensors and a pickle or an archive; readers would disagree on what it holds", 0};
}

}  // namespace

pickle::SiblingOpener OpenBeside(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return [folder](const std::string& name) -> Result<SharedSource> {
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
        name.find('\0') != std::string::npos) {
      return Error{Stage::kUnsafe, "FILE-PATH", "a companion file is named by a path", kNoOffset, name};
    }
    SAFEMODEL_ASSIGN(std::shared_ptr<const File> file, File::Open(folder + name));
    return SharedSource(std::move(file));
  };
}

Result<bool> IsContainer(const File& file) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(file));
  return StartsWith(head, container::kMagic);
}

Result<ImportedModel> ImportAny(const std::shared_ptr<const File>& file, const Limits& limits,
                                ConvertOptions::Unknown unknown, const pickle::AllowList* user) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(*file));
  SAFEMODEL_TRY(RefuseOthers(*file, head));
  if (formats::LooksLikeSafetensors(head, file->size())) {
    auto model = formats::ReadSafetensors(file, limits);
    if (model.ok()) SAFEMODEL_TRY(RefusePolyglot(file, limits));
    return model;
  }
  pickle::ImportOptions options;
  options.limits = limits;
  options.unknown = unknown;
  options.user = user;
  options.open_sibling = OpenBeside(file->path());
  return pickle::ImportPickleFamily(file, options);
}

}  // namespace safemodel
