// SPDX-License-Identifier: Apache-2.0
#include "pickle/npy.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "pickle/finish_import.h"
#include "pickle/machine.h"
#include "pickle/npy_header.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kMagicBytes = 6;

// JoinedSource is several sources one after the other, so that one graph can hold the pickles of several members.
class JoinedSource final : public ByteSource {
 public:
  // Add appends a source and returns where it starts. Not to be called once the source is in use.
  std::uint64_t Add(SharedSource source) {
    const std::uint64_t begin = size_;
    size_ += source->size();
    parts_.push_back({begin, std::move(source)});
    return begin;
  }
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] bool sequential() const override { return true; }

  [[nodiscard]] Status ReadAt(std::uint64_t offset, MutableBytes out) const override {
    if (offset > size_ || out.size() > size_ - offset)
      return Error{Stage::kIo, "truncated", "a read leaves the archive", offset};
    while (!out.empty()) {
      const auto after = std::upper_bound(parts_.begin(), parts_.end(), offset,
                                          [](std::uint64_t at, const Part& part) { return at < part.begin; });
      const Part& part = *std::prev(after);
      const std::uint64_t within = offset - part.begin;
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), part.source->size() - within));
      SAFEMODEL_TRY(part.source->ReadAt(within, out.first(size)));
      out = out.subspan(size);
      offset += size;
    }
    return {};
  }

 private:
  struct Part {
    std::uint64_t begin;
    SharedSource source;
  };
  std::vector<Part> parts_;
  std::uint64_t size_ = 0;
};

// EndsHere says whether nothing of weight lies behind a pickle that ends at `end` of a .npy file. numpy reads the
// pickle and no further, so that it opens files with anything behind it. One newline is the only such thing that real
// files have (numpy's own py2-np0-objarr.npy ends with one, put there by an editor or by version control). It can hide
// nothing; whatever else follows stays refused.
bool EndsHere(const ByteSource& file, std::uint64_t end) {
  if (end == file.size()) return true;
  std::array<std::uint8_t, 1> last{};
  return file.size() - end == last.size() && file.ReadAt(end, last).ok() && last[0] == '\n';
}

// ReadArray enters one .npy file that lies at `begin` of the graph's stream and returns its node.
Result<NodeIndex> ReadArray(RuleContext& context, const SharedSource& file, std::uint64_t begin,
                            const ImportOptions& options) {
  ElementTypeTable types(context.tables.element_types, options.limits);
  SAFEMODEL_ASSIGN(NpyHeader header, ReadNpyHeader(*file, types));
  if (header.type.objects == DtypeNote::Objects::kYes) {
    SAFEMODEL_ASSIGN(const MachineResult result,
                     RunMachine(context, begin + header.data_offset, {.unknown = options.unknown}));
    if (EndsHere(*file, result.end - begin)) return result.root;
    return Error{Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", result.end};
  }
  SAFEMODEL_ASSIGN(SharedSource data, MakeSliceSource(file, header.data_offset, file->size() - header.data_offset));
  SAFEMODEL_ASSIGN(const std::uint32_t tensor, AddArray(context.tables, std::move(data), header.type,
                                                        std::move(header.shape), header.order, options.limits));
  return context.graph.AddRawArray(begin + header.data_offset, tensor);
}

Error InMember(Error error, const std::string& name) {
  if (error.subject.empty()) error.subject = name;
  return error;
}

std::string KeyOf(const std::string& member) {
  constexpr std::string_view kSuffix = ".npy";
  return member.ends_with(kSuffix) ? member.substr(0, member.size() - kSuffix.size()) : member;
}

}  // namespace

Result<ImportedModel> ImportNpy(const SharedSource& source, const ImportOptions& options) {
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits};
  SAFEMODEL_ASSIGN(const NodeIndex root, ReadArray(context, source, 0, options));
  return FinishImport(graph, std::move(tables), root, "npy", options);
}

Result<bool> IsNpzArchive(const ZipArchive& archive) {
  bool found = false;
  for (const ZipEntry& entry : archive.entries()) {
    if (entry.directory()) continue;
    if (entry.size < kMagicBytes) return false;
    SAFEMODEL_ASSIGN(const SharedSource file, archive.OpenEntry(entry));
    std::array<std::uint8_t, kMagicBytes> magic{};
    SAFEMODEL_TRY(file->ReadAt(0, magic));
    if (!LooksLikeNpy(magic)) return false;
    found = true;
  }
  return found;
}

Result<ImportedModel> ImportNpz(const ZipArchive& archive, const ImportOptions& options) {
  const auto joined = std::make_shared<JoinedSource>();
  struct Member {
    const ZipEntry* entry;
    SharedSource file;
    std::uint64_t begin;
  };
  std::vector<Member> members;
  for (const ZipEntry& entry : archive.entries()) {
    if (entry.directory()) continue;
    SAFEMODEL_ASSIGN(SharedSource file, archive.OpenEntry(entry));
    const std::uint64_t begin = joined->Add(file);
    members.push_back({&entry, std::move(file), begin});
  }
  Graph graph{SharedSource(joined)};
  ImportTables tables;
  RuleContext context{graph, tables, options.limits};
  const NodeIndex root = graph.AddContainer(Kind::kDict, 0);
  std::unordered_set<std::string> keys;
  for (const Member& member : members) {
    const std::string key = KeyOf(member.entry->name);
    if (!IsUtf8(key))
      return Error{Stage::kUnsafe, "ZIP-NAME", "the name of a member is not UTF-8", kNoOffset, member.entry->name};
    if (!keys.insert(key).second) {
      return Error{Stage::kUnsafe, "ZIP-DUPLICATE", "two members are one array to numpy", kNoOffset,
                   member.entry->name};
    }
    const auto array = ReadArray(context, member.file, member.begin, options);
    if (!array.ok()) return InMember(array.error(), member.entry->name);
    const NodeIndex name = graph.AddBytes(Kind::kStr, member.begin, graph.Keep(ByteBuffer(key.begin(), key.end())));
    const std::array<NodeIndex, 2> item = {name, array.value()};
    if (!graph.Append(root, item))
      return Error{Stage::kLimit, "LIMIT-COUNT", "the archive has more members than the limit"};
  }
  return FinishImport(graph, std::move(tables), root, "npz", options);
}

}  // namespace safemodel::pickle
