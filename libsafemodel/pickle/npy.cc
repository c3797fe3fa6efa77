// SPDX-License-Identifier: Apache-2.0
#include "pickle/npy.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/cursor.h"
#include "base/try.h"
#include "base/utf8.h"
#include "pickle/finish_import.h"
#include "pickle/joined_source.h"
#include "pickle/machine.h"
#include "pickle/npy_header.h"
#include "pickle/scan_end.h"

namespace safemodel::pickle {
namespace {

constexpr std::size_t kMagicBytes = 6;

// EndsHere says whether nothing of weight lies behind a pickle that ends at `end` of a .npy file. numpy reads the
// pickle and no further, so that it opens files with anything behind it. One newline is the only such thing that real
// files have (numpy's own py2-np0-objarr.npy ends with one, put there by an editor or by version control). It can hide
// nothing; whatever else follows stays refused.
bool EndsHere(const ByteSource& file, std::uint64_t end) {
  if (end == file.size()) return true;
  std::array<std::uint8_t, 1> last{};
  return file.size() - end == last.size() && file.ReadAt(end, last).ok() && last[0] == '\n';
}

Error InMember(Error error, const std::string& name) {
  if (error.subject.empty()) error.subject = name;
  return error;
}

std::string KeyOf(const std::string& member) {
  constexpr std::string_view kSuffix = ".npy";
  return member.ends_with(kSuffix) ? member.substr(0, member.size() - kSuffix.size()) : member;
}

// Part is one array of a file, which ends at `end` of the file.
struct Part {
  NodeIndex array = kNoNode;
  std::uint64_t end = 0;
  bool objects = false;
};

Result<Part> ReadPart(RuleContext& context, const SharedSource& file, std::uint64_t begin,
                      ConvertOptions::Unknown unknown) {
  ElementTypeTable types(context.tables.element_types, context.limits);
  SAFEMODEL_ASSIGN(NpyHeader header, ReadNpyHeader(*file, types));
  if (header.type.objects == DtypeNote::Objects::kYes) {
    const std::uint64_t end = begin + file->size();
    SAFEMODEL_ASSIGN(const MachineResult result,
                     RunMachine(context, begin + header.data_offset, {.unknown = unknown, .end = end}));
    return Part{result.root, result.end - begin, true};
  }
  SAFEMODEL_ASSIGN(const std::uint64_t bytes, ArrayBytes(header.type, header.shape, context.limits));
  if (file->size() - header.data_offset < bytes) {
    return Error{Stage::kMalformed, "FILE-MALFORMED",
                 "the file ends inside its array; it may be incomplete, get it again", begin + file->size()};
  }
  SAFEMODEL_ASSIGN(SharedSource data, MakeSliceSource(file, header.data_offset, bytes));
  SAFEMODEL_ASSIGN(const std::uint32_t tensor, AddArray(context.tables, std::move(data), header.type,
                                                        std::move(header.shape), header.order, context.limits));
  return Part{context.graph.AddRawArray(begin + header.data_offset, tensor), header.data_offset + bytes, false};
}

// JudgeBehind judges what follows the first array of a file, and returns why the file is refused. Several calls of
// numpy.save may have written to it, and each object array that numpy.load comes to is a pickle.
Error JudgeBehind(RuleContext& context, const SharedSource& file, std::uint64_t begin, const Part& first,
                  ConvertOptions::Unknown unknown) {
  Error strange{Stage::kUnsafe, "MEM-NPY", "an array has more or fewer bytes than its shape says", begin + first.end};
  if (first.objects) {
    strange = {Stage::kMalformed, "PKL-TRAILING", "bytes follow the end of the pickle", begin + first.end};
  }
  std::uint64_t at = first.end;
  while (at < file->size()) {
    std::array<std::uint8_t, kMagicBytes> magic{};
    const MutableBytes start = MutableBytes(magic).first(std::min<std::uint64_t>(magic.size(), file->size() - at));
    if (const Status read = file->ReadAt(at, start); !read.ok()) return read.error();
    if (!LooksLikeNpy(start)) return strange;
    const auto rest = MakeSliceSource(file, at, file->size() - at);
    if (!rest.ok()) return rest.error();
    const auto part = ReadPart(context, rest.value(), begin + at, unknown);
    if (!part.ok()) return part.error().code == std::string_view("NPY-HEADER") ? strange : part.error();
    at += part.value().end;
  }
  return {Stage::kUnsupported, "FILE-UNSUPPORTED",
          "several arrays in one file are not read; load them one by one and save them with numpy.savez",
          begin + first.end};
}

}  // namespace

Result<NodeIndex> ReadNpyArray(RuleContext& context, const SharedSource& file, std::uint64_t begin,
                               ConvertOptions::Unknown unknown) {
  SAFEMODEL_ASSIGN(const Part first, ReadPart(context, file, begin, unknown));
  if (first.end == file->size() || (first.objects && EndsHere(*file, first.end))) return first.array;
  return JudgeBehind(context, file, begin, first, unknown);
}

Result<ImportedModel> ImportNpy(const SharedSource& source, const ImportOptions& options, Findings& findings) {
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits, findings, options.user};
  SAFEMODEL_ASSIGN(const NodeIndex root, ReadNpyArray(context, source, 0, options.unknown));
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

Result<ImportedModel> ImportNpz(const ZipArchive& archive, const ImportOptions& options, Findings& findings) {
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
  RuleContext context{graph, tables, options.limits, findings, options.user};
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
    SAFEMODEL_TRY(CheckArchiveAtEnd(member.file, options));
    const auto array = ReadNpyArray(context, member.file, member.begin, options.unknown);
    if (!array.ok()) return InMember(array.error(), member.entry->name);
    const NodeIndex name = graph.AddBytes(Kind::kStr, member.begin, graph.Keep(ByteBuffer(key.begin(), key.end())));
    const std::array<NodeIndex, 2> item = {name, array.value()};
    if (!graph.Append(root, item))
      return Error{Stage::kLimit, "LIMIT-COUNT", "the archive has more members than the limit"};
  }
  return FinishImport(graph, std::move(tables), root, "npz", options);
}

}  // namespace safemodel::pickle
