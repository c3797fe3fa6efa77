// SPDX-License-Identifier: Apache-2.0
#include "model/model_input.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "base/checked.h"
#include "base/try.h"
#include "formats/sharded_index.h"
#include "model/identity.h"
#include "model/import_any.h"
#include "model/model_folder.h"
#include "model/sharded_input.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kHeadBytes = 64;

bool IsFolder(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// FolderName returns what a folder is called, also when the path says "." or ends with a slash.
std::string FolderName(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  std::string name = NameOf(path);
  if (!name.empty() && name != "." && name != "..") return name;
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  return real ? NameOf(real.get()) : std::string();
}

Result<ModelInput> ReadIndexed(const std::string& path, const std::shared_ptr<const File>& file,
                               const formats::ShardedIndex& index, const InputOptions& options) {
  SAFEMODEL_ASSIGN(const std::shared_ptr<const Folder> folder, Folder::Open(FolderOf(path)));
  ModelInput input;
  const std::string name = NameOf(path);
  SAFEMODEL_TRY(ReadShards(*folder, "", index.shards, &index, options, input));
  input.parts.push_back(PartOf(name, file));
  input.default_name = DefaultNameOf(name);
  return input;
}

// ReadOne reads an index as one, by its content; everything else is a model by itself.
Result<ModelInput> ReadOne(const std::string& path, const InputOptions& options) {
  SAFEMODEL_ASSIGN(const std::shared_ptr<const File> file, File::Open(path));
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(*file, 0, std::min(kHeadBytes, file->size()), kHeadBytes));
  if (formats::LooksLikeIndex(head)) {
    const auto index = ReadIndexFile(*file, NameOf(path), options.limits);
    if (index.ok()) return ReadIndexed(path, file, index.value(), options);
    if (std::string_view(index.error().code) != "not_an_index") return index.error();
  }
  ModelInput input;
  SAFEMODEL_ASSIGN(input.model, ImportAny(file, options.limits, options.unknown, options.user));
  input.parts.push_back(PartOf(NameOf(path), file));
  input.default_name = StemOf(path);
  if (const auto part = PartByName(NameOf(path))) input.shard = {part->number, part->count};
  return input;
}

Result<ModelInput> Read(const std::vector<std::string>& inputs, const InputOptions& options) {
  if (inputs.empty()) return Error{Stage::kUsage, "no_input", "there is nothing to read"};
  if (inputs.size() > 1) return ReadShardList(inputs, options);
  if (!IsFolder(inputs.front())) {
    if (options.weights.empty()) return ReadOne(inputs.front(), options);
    return Error{Stage::kUsage, "no_such_weights", "--weights chooses among the files of a folder, and this is a file",
                 kNoOffset, inputs.front()};
  }
  SAFEMODEL_ASSIGN(std::shared_ptr<const Folder> folder, Folder::Open(inputs.front()));
  SAFEMODEL_ASSIGN(ModelInput input, ReadModelFolder(std::move(folder), options));
  input.default_name = FolderName(inputs.front());
  return input;
}

}  // namespace

std::uint64_t ModelInput::bytes() const {
  std::uint64_t total = 0;
  for (const InputPart& part : parts) total = CheckedAdd(total, part.source->size()).value_or(~std::uint64_t{0});
  return total;
}

Status ModelInput::CheckUnchanged() const {
  for (const InputPart& part : parts) SAFEMODEL_TRY(part.check_unchanged());
  return {};
}

Result<ModelInput> ReadModelInput(const std::vector<std::string>& inputs, const InputOptions& options) {
  SAFEMODEL_ASSIGN(ModelInput input, Read(inputs, options));
  std::sort(input.parts.begin(), input.parts.end(),
            [](const InputPart& a, const InputPart& b) { return a.name < b.name; });
  return input;
}

}  // namespace safemodel
