// SPDX-License-Identifier: Apache-2.0
#include <safemodel/export.h>

#include <algorithm>
#include <map>

#include "base/cursor.h"
#include "base/out_of_memory.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "formats/npz_writer.h"
#include "formats/safetensors_writer.h"
#include "model/export_folder.h"
#include "model/loaded_model.h"
#include "model/tensor_stream.h"
#include "value/tensor_view.h"

namespace safemodel {
namespace {

std::vector<formats::ExportEntry> EntriesOf(const LoadedModel& model) {
  std::vector<formats::ExportEntry> entries;
  entries.reserve(model.tensors.size());
  for (const Tensor& tensor : model.tensors) {
    entries.push_back({tensor.name, tensor.dtype, tensor.element_type, tensor.shape, tensor.bytes});
  }
  return entries;
}

// Reach is the range of its storage that a tensor touches.
struct Reach {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  const Tensor* tensor = nullptr;
};

Result<Reach> ReachOf(const Tensor& tensor, std::span<const ElementType> types) {
  SAFEMODEL_ASSIGN(const std::uint64_t bits, ElementBits(tensor.dtype, tensor.element_type, types));
  SAFEMODEL_ASSIGN(const std::uint64_t extent, ViewExtent(tensor.shape, tensor.strides));
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ContiguousBytes(extent, bits));
  return Reach{tensor.byte_offset, tensor.byte_offset + bytes, &tensor};
}

void AppendGroups(std::vector<Reach>& reaches, std::vector<std::vector<std::string>>& groups) {
  std::sort(reaches.begin(), reaches.end(), [](const Reach& a, const Reach& b) { return a.begin < b.begin; });
  for (std::size_t i = 0; i < reaches.size();) {
    std::vector<std::string> names;
    std::uint64_t end = reaches[i].end;
    do {
      names.push_back(reaches[i].tensor->name);
      end = std::max(end, reaches[i].end);
      ++i;
    } while (i < reaches.size() && reaches[i].begin < end);
    if (names.size() < 2) continue;
    std::sort(names.begin(), names.end());
    groups.push_back(std::move(names));
  }
}

// AliasGroups returns the names that share memory in the model: in the output each becomes a copy.
Result<std::vector<std::vector<std::string>>> AliasGroups(const LoadedModel& model) {
  std::map<std::uint32_t, std::vector<Reach>> storages;
  for (const Tensor& tensor : model.tensors) {
    SAFEMODEL_ASSIGN(const Reach reach, ReachOf(tensor, model.element_types));
    if (reach.begin < reach.end) storages[tensor.storage].push_back(reach);
  }
  std::vector<std::vector<std::string>> groups;
  for (auto& [storage, reaches] : storages) AppendGroups(reaches, groups);
  return groups;
}

// Exporter streams tensors into the output. Each is compared with its digest, all of them with those of the model
// before the output gets its name.
class Exporter {
 public:
  Exporter(const LoadedModel& model, OutputFile& output, const Progress& progress)
      : model_(model), stream_(model), output_(output), progress_(progress), digests_(model.tensors.size()) {
    for (const Tensor& tensor : model.tensors) total_ += tensor.bytes;
  }

  Status Write(std::size_t index, formats::Crc32* crc) {
    crypto::Blake3 hash;
    const ByteSink sink = [&](ByteView bytes) -> Status {
      hash.Update(bytes);
      if (crc != nullptr) crc->Update(bytes);
      done_ += bytes.size();
      if (progress_) progress_(done_, total_);
      return output_.Append(bytes);
    };
    const Tensor& tensor = model_.tensors[index];
    SAFEMODEL_TRY(stream_.Stream(tensor, sink));
    digests_[index] = hash.Finish();
    return tensor.digest ? Status() : HashCollapsed(index);
  }

  Status CheckAll() {
    SAFEMODEL_ASSIGN(const ComputedDigests computed, CompleteDigests(model_, digests_));
    return CompareDigests(model_, computed);
  }

 private:
  // HashCollapsed digests an expanded tensor, in which dimensions of stride 0 count as size 1 (spec section 8).
  Status HashCollapsed(std::size_t index) {
    Tensor tensor = model_.tensors[index];
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      if (tensor.strides[i] != 0 || tensor.shape[i] == 0) continue;
      tensor.elements /= tensor.shape[i];
      tensor.bytes /= tensor.shape[i];
      tensor.shape[i] = 1;
    }
    crypto::Blake3 hash;
    const ByteSink sink = [&hash](ByteView bytes) -> Status {
      hash.Update(bytes);
      return {};
    };
    SAFEMODEL_TRY(stream_.Stream(tensor, sink));
    digests_[index] = hash.Finish();
    return {};
  }

  const LoadedModel& model_;
  TensorStream stream_;
  OutputFile& output_;
  const Progress& progress_;
  std::vector<Digest> digests_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

Status WriteSafetensors(const formats::SafetensorsLayout& layout, Exporter& exporter, OutputFile& output) {
  SAFEMODEL_TRY(output.Append(layout.head));
  for (const std::size_t index : layout.order) SAFEMODEL_TRY(exporter.Write(index, nullptr));
  return {};
}

Status WriteNpz(formats::NpzLayout& layout, Exporter& exporter, OutputFile& output) {
  for (formats::NpzMember& member : layout.members) {
    SAFEMODEL_TRY(output.Append(member.head));
    SAFEMODEL_TRY(exporter.Write(member.entry, &member.crc));
    ByteWriter checksum;
    checksum.U32(member.crc.value());
    SAFEMODEL_TRY(output.WriteAt(member.checksum_at, checksum.view()));
  }
  return output.Append(formats::CentralDirectory(layout));
}

Status CheckNotItself(const LoadedModel& model, const std::string& output) {
  SAFEMODEL_ASSIGN(const auto identity, IdentityOf(output));
  if (!identity || *identity != model.store->file().state().identity) return {};
  return Error{Stage::kUsage, "same_file", "the output is the container itself", kNoOffset, output};
}

// Plan is decided before the output is created: what the format cannot hold is refused by name.
struct Plan {
  formats::SafetensorsLayout safetensors;
  formats::NpzLayout npz;
};

Result<Plan> PlanFor(const LoadedModel& model, ExportFormat format) {
  Plan plan;
  const std::vector<formats::ExportEntry> entries = EntriesOf(model);
  if (format != ExportFormat::kNpz) {
    SAFEMODEL_ASSIGN(plan.safetensors,
                     formats::PlanSafetensors(entries, formats::SafetensorsMetadata(model.info.private_metadata)));
  } else {
    SAFEMODEL_ASSIGN(plan.npz, formats::PlanNpz(entries, model.element_types));
  }
  return plan;
}

Status WriteTensors(Plan& plan, ExportFormat format, Exporter& exporter, OutputFile& output) {
  if (format == ExportFormat::kNpz) {
    SAFEMODEL_TRY(WriteNpz(plan.npz, exporter, output));
  } else {
    SAFEMODEL_TRY(WriteSafetensors(plan.safetensors, exporter, output));
  }
  return exporter.CheckAll();
}

Result<ExportReport> ExportFile(const VerifiedModel& verified, const std::string& output_path, ExportFormat format,
                                const ExportOptions& options) {
  const LoadedModel& model = VerifiedModelAccess::Of(verified);
  const bool is_folder = format == ExportFormat::kFolder;
  const std::string path = is_folder ? FolderPath(output_path) : output_path;
  SAFEMODEL_TRY(CheckNotItself(model, path));
  SAFEMODEL_TRY(CheckCopies(model));
  SAFEMODEL_ASSIGN(Plan plan, PlanFor(model, format));
  ExportReport report;
  report.tensors = model.tensors.size();
  SAFEMODEL_ASSIGN(report.broken_aliases, AliasGroups(model));
  if (is_folder) SAFEMODEL_TRY(CheckFolderExport(model, path, options.executables));
  const bool replace = !is_folder && options.overwrite == ExportOptions::Overwrite::kReplace;
  SAFEMODEL_ASSIGN(OutputFile output, OutputFile::Create(path, replace ? OutputFile::Overwrite::kReplace
                                                                       : OutputFile::Overwrite::kRefuse));
  Exporter exporter(model, output, options.progress);
  SAFEMODEL_TRY(WriteTensors(plan, format, exporter, output));
  report.bytes = output.size();
  if (!is_folder) {
    report.files_left_out = model.files.size();
    SAFEMODEL_TRY(output.Commit());
    return report;
  }
  // The tensors, which take the time, had no name until here: a process that is killed leaves nothing behind.
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, WriteFolder(model, path, std::move(output)));
  report.bytes += bytes;
  report.files = model.files.size();
  return report;
}

}  // namespace

Result<ExportReport> Export(const VerifiedModel& verified, const std::string& path, ExportFormat format,
                            const ExportOptions& options) {
  return CatchOutOfMemory([&] { return ExportFile(verified, path, format, options); });
}

}  // namespace safemodel
