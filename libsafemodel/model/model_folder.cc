// SPDX-License-Identifier: Apache-2.0
#include "model/model_folder.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/cursor.h"
#include "base/try.h"
#include "container/format.h"
#include "container/paths.h"
#include "formats/safetensors.h"
#include "model/folder_walk.h"
#include "model/import_any.h"
#include "model/judge_file.h"
#include "model/sharded_input.h"

namespace safemodel {
namespace {

constexpr std::uint64_t kHeadBytes = 16;
// What the libraries call the weights when they are pickles: these names win over other pickles beside them, such as
// the state of an optimizer.
constexpr std::array<std::string_view, 4> kWeightNames = {"pytorch_model.bin", "adapter_model.bin",
                                                          "diffusion_pytorch_model.bin", "model.pt"};

struct FoundFile {
  enum class Shape : std::uint8_t { kOther, kIndex, kSafetensors, kArrays, kPickle, kContainer };
  std::string path;
  std::shared_ptr<const FileBelow> source;
  Shape shape = Shape::kOther;
  FileJudgement judgement;
  formats::ShardedIndex index;               // of an index
  std::shared_ptr<const File> parsed_index;  // the file that it was read from
};

using Shape = FoundFile::Shape;

std::string ParentOf(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string InFolder(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

// IsSafetensors wants a header that fits: JSON texts may look like the first nine bytes.
bool IsSafetensors(ByteView head, std::uint64_t size) {
  if (!formats::LooksLikeSafetensors(head, size)) return false;
  const auto length = ByteReader(head).U64();
  return length.ok() && length.value() <= size - sizeof(std::uint64_t);
}

bool StartsWith(ByteView head, ByteView bytes) {
  return head.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), head.begin());
}

Result<FoundFile> Examine(const std::shared_ptr<const Folder>& folder, const std::string& path,
                          const InputOptions& options) {
  FoundFile file;
  file.path = path;
  SAFEMODEL_ASSIGN(file.source, FileBelow::Open(folder, path));
  const std::uint64_t size = file.source->size();
  SAFEMODEL_ASSIGN(const ByteBuffer head, ReadRange(*file.source, 0, std::min(kHeadBytes, size), kHeadBytes));
  if (StartsWith(head, container::kMagic) || StartsWith(head, container::kEnvelopeMagic)) {
    file.shape = Shape::kContainer;
    return file;
  }
  if (path.ends_with(formats::kIndexSuffix)) {
    SAFEMODEL_ASSIGN(std::shared_ptr<const File> opened, folder->OpenFile(path));
    auto index = ReadIndexFile(*opened, NameOf(path), options.limits);
    if (!index.ok() && std::string_view(index.error().code) != "not_an_index") return index.error();
    if (index.ok()) {
      file.shape = Shape::kIndex;
      file.index = std::move(index).value();
      file.parsed_index = std::move(opened);
      return file;
    }
  }
  SAFEMODEL_ASSIGN(file.judgement, JudgeFile(path, file.source, options.limits, options.user));
  if (file.judgement.kind == FileJudgement::Kind::kData) {
    const bool arrays = StartsWith(head, AsBytes("\x93NUMPY")) || StartsWith(head, AsBytes("PK\x03\x04"));
    if (arrays) file.shape = Shape::kArrays;
    if (IsSafetensors(head, size)) file.shape = Shape::kSafetensors;
  } else if (file.judgement.kind != FileJudgement::Kind::kExecutable) {
    file.shape = Shape::kPickle;
  }
  return file;
}

Result<std::vector<FoundFile>> ExamineAll(const std::shared_ptr<const Folder>& folder, const InputOptions& options,
                                          std::vector<LeftOutFile>& left_out) {
  std::vector<FoundFile> files;
  SAFEMODEL_TRY(WalkFolder(*folder, {}, [&](const WalkEntry& entry) -> Status {
    if (entry.kind == WalkEntry::Kind::kPassedOver) {
      left_out.push_back({entry.path, entry.path == ".cache/huggingface" ? "download_notes" : "git"});
      return {};
    }
    SAFEMODEL_ASSIGN(FoundFile file, Examine(folder, entry.path, options));
    files.push_back(std::move(file));
    return {};
  }));
  std::sort(files.begin(), files.end(), [](const FoundFile& a, const FoundFile& b) { return a.path < b.path; });
  return files;
}

// Weights is one model in the folder: a file, an index with its shards, or shards that no index names.
struct Weights {
  const FoundFile* file = nullptr;       // of shards without an index, the first
  Shape shape = Shape::kOther;           // of the file, or of the shards
  std::vector<std::string> shards = {};  // their names, when no index has them
};

// IsWeightName says whether the libraries call weights so, whole or in shards.
bool IsWeightName(const std::string& name) {
  const auto part = PartByName(name);
  const std::string whole = part ? part->prefix + part->suffix : name;
  return std::find(kWeightNames.begin(), kWeightNames.end(), whole) != kWeightNames.end();
}

// WeightsFinder lists the models in a folder and chooses one.
class WeightsFinder {
 public:
  explicit WeightsFinder(const std::vector<FoundFile>& files) {
    for (const FoundFile& file : files) by_path_.emplace(file.path, &file);
    for (const FoundFile& file : files) {
      if (file.shape != Shape::kIndex) continue;
      for (const std::string& shard : file.index.shards) covered_.insert(InFolder(ParentOf(file.path), shard));
    }
    for (const FoundFile& file : files) Add(file);
  }

  [[nodiscard]] Result<Weights> Choose(const std::string& wanted) const {
    if (!wanted.empty()) return Named(wanted);
    for (const bool nested : {false, true}) {
      for (const Shape shape : {Shape::kSafetensors, Shape::kPickle, Shape::kArrays}) {
        std::vector<Weights> group = Group(shape, nested);
        if (shape == Shape::kPickle) Prefer(group);
        if (group.size() == 1) return group.front();
        if (group.size() > 1) return Several(group);
      }
    }
    return Error{Stage::kUsage, "no_weights", "the folder holds no weights of a format that is read"};
  }

  // IsOtherWeights says whether a file that was not chosen is a model, or a part of one, in a form of its own: packing
  // it beside the tensors would only repeat them.
  [[nodiscard]] bool IsOtherWeights(const FoundFile& file, const FoundFile& chosen) const {
    if (file.shape == Shape::kIndex || covered_.count(file.path) > 0) return true;
    if (ParentOf(file.path) != ParentOf(chosen.path)) return false;
    if (file.shape == Shape::kSafetensors) return true;
    return file.shape == Shape::kPickle &&
           (IsWeightName(NameOf(file.path)) || StemOf(file.path) == StemOf(chosen.path));
  }

 private:
  static std::string StemOf(const std::string& path) {
    const std::string name = NameOf(path);
    return name.substr(0, name.find('.'));
  }

  void Add(const FoundFile& file) {
    if (file.shape == Shape::kIndex) {
      const auto first = by_path_.find(InFolder(ParentOf(file.path), file.index.shards.front()));
      const bool pickle = first != by_path_.end() && first->second->shape == Shape::kPickle;
      weights_.push_back({&file, pickle ? Shape::kPickle : Shape::kSafetensors});
    } else if (covered_.count(file.path) == 0) {
      AddUncovered(file);
    }
  }

  // AddUncovered gathers the shards of one model: each alone would be taken for a whole one.
  void AddUncovered(const FoundFile& file) {
    const bool may_be_shard = file.shape == Shape::kSafetensors || file.shape == Shape::kPickle;
    const auto part = may_be_shard ? PartByName(NameOf(file.path)) : std::nullopt;
    if (!part) {
      weights_.push_back({&file, file.shape});
      return;
    }
    const std::string model =
        InFolder(ParentOf(file.path), part->prefix + "-of-" + std::to_string(part->count)) + part->suffix;
    const auto [found, is_new] = sharded_.emplace(model, weights_.size());
    if (is_new) weights_.push_back({&file, file.shape});
    weights_[found->second].shards.push_back(NameOf(file.path));
  }

  // Named returns what the user chose; one shard stands for all that belong to it.
  [[nodiscard]] Result<Weights> Named(const std::string& wanted) const {
    const auto found = by_path_.find(wanted);
    if (found == by_path_.end())
      return Error{Stage::kUsage, "no_such_weights", "the folder has no such file", kNoOffset, wanted};
    for (const Weights& weights : weights_) {
      const bool beside = ParentOf(weights.file->path) == ParentOf(wanted);
      const auto& shards = weights.shards;
      if (beside && std::find(shards.begin(), shards.end(), NameOf(wanted)) != shards.end()) return weights;
    }
    return Weights{found->second, found->second->shape};
  }

  [[nodiscard]] std::vector<Weights> Group(Shape shape, bool nested) const {
    std::vector<Weights> group;
    for (const Weights& weights : weights_) {
      const bool is_nested = weights.file->path.find('/') != std::string::npos;
      if (weights.shape == shape && is_nested == nested) group.push_back(weights);
    }
    return group;
  }

  static void Prefer(std::vector<Weights>& group) {
    std::vector<Weights> named;
    for (const Weights& weights : group) {
      if (IsWeightName(NameOf(weights.file->path)) || weights.file->shape == Shape::kIndex) named.push_back(weights);
    }
    if (!named.empty()) group = std::move(named);
  }

  static Error Several(const std::vector<Weights>& group) {
    std::string names;
    for (const Weights& weights : group) names += (names.empty() ? "" : ", ") + weights.file->path;
    return {Stage::kUsage, "several_models", "the folder holds several models; choose one with --weights", kNoOffset,
            names};
  }

  std::map<std::string, const FoundFile*> by_path_;
  std::set<std::string> covered_;               // shards of an index
  std::map<std::string, std::size_t> sharded_;  // places in weights_ of shards that no index names
  std::vector<Weights> weights_;
};

Status ReadWeights(const Folder& folder, const Weights& weights, const InputOptions& options, ModelInput& input) {
  const FoundFile& chosen = *weights.file;
  if (!weights.shards.empty()) {
    SAFEMODEL_TRY(CheckNoneMissing(weights.shards));
    return ReadShards(folder, ParentOf(chosen.path), weights.shards, nullptr, options, input);
  }
  if (chosen.shape == Shape::kIndex) {
    SAFEMODEL_TRY(ReadShards(folder, ParentOf(chosen.path), chosen.index.shards, &chosen.index, options, input));
    input.parts.push_back(PartOf(chosen.path, chosen.parsed_index));
    return {};
  }
  SAFEMODEL_ASSIGN(std::shared_ptr<const File> file, folder.OpenFile(chosen.path));
  auto model = ImportAny(file, options.limits, options.unknown, options.user);
  if (!model.ok()) {
    Error error = model.error();
    error.subject = chosen.path + (error.subject.empty() ? "" : ": " + error.subject);
    return error;
  }
  input.model = std::move(model).value();
  input.parts.push_back(PartOf(chosen.path, std::move(file)));
  input.weights.push_back(chosen.path);
  if (const auto part = PartByName(NameOf(chosen.path))) input.shard = {part->number, part->count};
  return {};
}

std::string MediaTypeOf(const std::string& path) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kTypes = {{{".json", "application/json"},
                                                                                    {".md", "text/markdown"},
                                                                                    {".txt", "text/plain"},
                                                                                    {".yaml", "application/yaml"},
                                                                                    {".yml", "application/yaml"},
                                                                                    {".png", "image/png"},
                                                                                    {".jpg", "image/jpeg"},
                                                                                    {".pdf", "application/pdf"}}};
  for (const auto& [suffix, type] : kTypes) {
    if (path.ends_with(suffix)) return std::string(type);
  }
  return {};
}

// Pack adds a file that is not part of the weights, or lists it as left out.
Status Pack(const FoundFile& file, const InputOptions& options, ModelInput& input) {
  if (file.shape == Shape::kContainer) {
    input.left_out.push_back({file.path, "container"});
    return {};
  }
  const bool runs = file.judgement.kind != FileJudgement::Kind::kData;
  if (runs && options.executables == ConvertOptions::Executables::kLeaveOut) {
    input.left_out.push_back({file.path, file.judgement.reason});
    return {};
  }
  const bool allow = options.unknown == ConvertOptions::Unknown::kKeepInert;
  SAFEMODEL_TRY(CheckMayTravel(file.judgement, file.path, allow ? UnknownClasses::kAllow : UnknownClasses::kRefuse));
  SAFEMODEL_TRY(container::CheckFilePath(file.path, options.limits));
  input.model.files.push_back({file.path, MediaTypeOf(file.path), file.source, file.judgement.reason});
  const auto source = file.source;
  input.parts.push_back({file.path, source, source->state().identity, [source] { return source->CheckUnchanged(); }});
  return {};
}

Status CheckPaths(const std::vector<ImportedFile>& files, const Limits& limits) {
  if (files.size() > limits.files)
    return Error{Stage::kLimit, "many_files", "the folder has more files than the limit"};
  std::vector<std::string_view> paths;
  paths.reserve(files.size());
  for (const ImportedFile& file : files) paths.emplace_back(file.path);
  return container::CheckPathsApart(paths);
}

}  // namespace

Result<ModelInput> ReadModelFolder(std::shared_ptr<const Folder> folder, const InputOptions& options) {
  ModelInput input;
  SAFEMODEL_ASSIGN(const std::vector<FoundFile> files, ExamineAll(folder, options, input.left_out));
  const WeightsFinder finder(files);
  SAFEMODEL_ASSIGN(const Weights chosen, finder.Choose(options.weights));
  SAFEMODEL_TRY(ReadWeights(*folder, chosen, options, input));
  std::set<std::string> taken;
  for (const InputPart& part : input.parts) taken.insert(part.name);
  for (const FoundFile& file : files) {
    if (taken.count(file.path) > 0) continue;
    if (file.shape != Shape::kContainer && finder.IsOtherWeights(file, *chosen.file)) {
      input.left_out.push_back({file.path, "other_weights"});
    } else {
      SAFEMODEL_TRY(Pack(file, options, input));
    }
  }
  SAFEMODEL_TRY(CheckPaths(input.model.files, options.limits));
  std::sort(input.left_out.begin(), input.left_out.end(),
            [](const LeftOutFile& a, const LeftOutFile& b) { return a.path < b.path; });
  return input;
}

}  // namespace safemodel
