// SPDX-License-Identifier: Apache-2.0
#include "model/sharded_input.h"

#include <algorithm>

#include "base/try.h"
#include "formats/merge_shards.h"
#include "model/identity.h"
#include "model/import_any.h"

namespace safemodel {
namespace {

std::string Below(const std::string& below, const std::string& name) {
  return below.empty() ? name : below + "/" + name;
}

Error About(Error error, const std::string& name) {
  error.subject = error.subject.empty() ? name : name + ": " + error.subject;
  return error;
}

Error NotOneModel(const char* text, const std::string& subject) {
  return {Stage::kUsage, "several_inputs", text, kNoOffset, subject};
}

std::optional<std::uint32_t> FiveDigits(std::string_view text) {
  std::uint32_t number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  return number;
}

std::string NameOfShard(const ShardName& shard, std::uint32_t number) {
  const auto five_digits = [](std::uint32_t value) {
    const std::string digits = std::to_string(value);
    return std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits;
  };
  return shard.prefix + "-" + five_digits(number) + "-of-" + five_digits(shard.count) + shard.suffix;
}

// NamesBeside returns the names of the inputs, which must lie in one folder.
Result<std::vector<std::string>> NamesBeside(const std::vector<std::string>& inputs) {
  std::vector<std::string> names;
  for (const std::string& input : inputs) {
    if (FolderOf(input) != FolderOf(inputs.front()))
      return NotOneModel("several inputs must be the files of one model, in one folder", input);
    names.push_back(NameOf(input));
  }
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return NotOneModel("an input is given twice", *twice);
  return names;
}

// CheckComplete proves by their names that files are all shards of one model.
Status CheckComplete(const std::vector<std::string>& names) {
  const auto first = ParseShardName(names.front());
  std::uint32_t expected = 1;
  for (const std::string& name : names) {
    const auto shard = ParseShardName(name);
    if (!shard || shard->prefix != first->prefix || shard->suffix != first->suffix || shard->count != first->count) {
      return NotOneModel("several inputs must be the files of one model, named like model-00001-of-00002.safetensors",
                         name);
    }
    if (shard->number != expected++) return NotOneModel("a shard of the model is missing before this one", name);
  }
  if (names.size() != first->count)
    return NotOneModel("the last shards of the model are missing after this one", names.back());
  return {};
}

}  // namespace

InputPart PartOf(std::string name, std::shared_ptr<const File> file) {
  const FileIdentity identity = file->state().identity;
  const auto check = [file] { return file->CheckUnchanged(); };
  return {std::move(name), std::move(file), identity, check};
}

Result<formats::ShardedIndex> ReadIndexFile(const File& file, const std::string& name, const Limits& limits) {
  SAFEMODEL_ASSIGN(const ByteBuffer text, ReadRange(file, 0, file.size(), formats::kIndexBytes));
  auto index = formats::ParseIndex(text, name, limits);
  if (!index.ok()) return About(index.error(), name);
  return index;
}

Status ReadShards(const Folder& folder, const std::string& below, const std::vector<std::string>& shards,
                  const formats::ShardedIndex* index, const InputOptions& options, ModelInput& input) {
  if (shards.size() > formats::kMostShards)
    return Error{Stage::kLimit, "many_shards", "the model has more files than the limit"};
  std::vector<formats::Shard> read;
  for (const std::string& name : shards) {
    const std::string path = Below(below, name);
    auto file = folder.OpenFile(path);
    if (!file.ok()) {
      const bool missing = index != nullptr && std::string_view(file.error().code) == "not_found";
      if (!missing) return file.error();
      return Error{Stage::kMalformed, "FILE-MISSING",
                   "a file that the index names is not beside it; is the download complete?", kNoOffset, name};
    }
    auto model = ImportAny(file.value(), options.limits, options.unknown, options.user);
    if (!model.ok()) return About(model.error(), name);
    read.push_back({name, std::move(model).value()});
    input.parts.push_back(PartOf(path, std::move(file).value()));
    input.weights.push_back(path);
  }
  SAFEMODEL_ASSIGN(formats::MergedShards merged, formats::MergeShards(std::move(read), index, options.limits));
  input.model = std::move(merged.model);
  input.unmapped = std::move(merged.unmapped);
  return {};
}

std::optional<ShardName> ParseShardName(const std::string& name) {
  constexpr std::string_view kOf = "-of-";
  constexpr std::size_t kDigits = 5;
  const std::size_t of = name.rfind(kOf);
  if (of == std::string::npos || of < kDigits + 2 || name.size() < of + kOf.size() + kDigits) return std::nullopt;
  if (name[of - kDigits - 1] != '-') return std::nullopt;
  const auto number = FiveDigits(std::string_view(name).substr(of - kDigits, kDigits));
  const auto count = FiveDigits(std::string_view(name).substr(of + kOf.size(), kDigits));
  ShardName shard;
  shard.prefix = name.substr(0, of - kDigits - 1);
  shard.suffix = name.substr(of + kOf.size() + kDigits);
  if (!number || !count || (!shard.suffix.empty() && shard.suffix.front() != '.')) return std::nullopt;
  shard.number = *number;
  shard.count = *count;
  return shard;
}

std::optional<ShardName> PartByName(const std::string& name) {
  auto shard = ParseShardName(name);
  return shard && shard->count > 1 ? shard : std::nullopt;
}

Status CheckNoneMissing(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  const ShardName shard = *ParseShardName(names.front());
  std::string missing;
  std::size_t count = 0;
  for (std::uint32_t number = 1; number <= shard.count; ++number) {
    const std::string name = NameOfShard(shard, number);
    if (!std::binary_search(names.begin(), names.end(), name) && count++ < kShown) missing += name + ", ";
  }
  if (count > kShown) missing += std::to_string(count - kShown) + " more shards, ";
  if (count > 0) {
    return Error{
        Stage::kMalformed, "FILE-MISSING",
        "the folder has only some of the model's shards, and no index; is the download complete? To convert one "
        "shard alone, name that file; missing are",
        kNoOffset, missing + shard.prefix + shard.suffix + std::string(formats::kIndexSuffix)};
  }
  if (names.size() == shard.count) return {};
  return NotOneModel("the folder has shards with numbers that their own names rule out", names.front());
}

std::string DefaultNameOf(const std::string& index_name) {
  if (!index_name.ends_with(formats::kIndexSuffix)) return index_name;
  return StemOf(index_name.substr(0, index_name.size() - formats::kIndexSuffix.size()));
}

Result<ModelInput> ReadShardList(const std::vector<std::string>& inputs, const InputOptions& options) {
  SAFEMODEL_ASSIGN(std::vector<std::string> names, NamesBeside(inputs));
  const auto is_index = [](const std::string& name) { return name.ends_with(formats::kIndexSuffix); };
  const auto found = std::find_if(names.begin(), names.end(), is_index);
  const std::string index_name = found == names.end() ? std::string() : *found;
  if (found != names.end()) names.erase(found);
  if (index_name.empty()) SAFEMODEL_TRY(CheckComplete(names));
  SAFEMODEL_ASSIGN(const std::shared_ptr<const Folder> folder, Folder::Open(FolderOf(inputs.front())));
  ModelInput input;
  if (index_name.empty()) {
    input.default_name = ParseShardName(names.front())->prefix;
    SAFEMODEL_TRY(ReadShards(*folder, "", names, nullptr, options, input));
    return input;
  }
  SAFEMODEL_ASSIGN(std::shared_ptr<const File> file, folder->OpenFile(index_name));
  SAFEMODEL_ASSIGN(const formats::ShardedIndex index, ReadIndexFile(*file, index_name, options.limits));
  if (index.shards != names) return NotOneModel("the inputs are not the files that this index names", index_name);
  input.default_name = DefaultNameOf(index_name);
  SAFEMODEL_TRY(ReadShards(*folder, "", names, &index, options, input));
  input.parts.push_back(PartOf(index_name, std::move(file)));
  return input;
}

}  // namespace safemodel
