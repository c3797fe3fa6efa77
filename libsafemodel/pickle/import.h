// SPDX-License-Identifier: Apache-2.0
// Import of the pickle family: PyTorch zip files, numpy's npy and npz, joblib files, plain pickles. The only header of
// this folder that other folders include.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <safemodel/bytes.h>
#include <safemodel/convert.h>
#include <safemodel/limits.h>
#include <safemodel/result.h>

#include "base/source.h"
#include "value/imported.h"

namespace safemodel::pickle {

class AllowList;
class Graph;

// SiblingOpener opens a file that lies beside the input, by bare name; kIo "not_found".
using SiblingOpener = std::function<Result<SharedSource>(const std::string& name)>;

struct ImportOptions {
  Limits limits = {};
  // kScan: the findings are all that is wanted; models come back without a tree.
  enum class Purpose : std::uint8_t { kConvert, kScan };
  Purpose purpose = Purpose::kConvert;
  ConvertOptions::Unknown unknown = ConvertOptions::Unknown::kRefuse;
  // Shows a scan the values of a stream that was read to its end.
  std::function<Status(const Graph& graph)> on_graph = {};
  const AllowList* user = nullptr;  // borrowed; classes that the caller vouches for
  SiblingOpener open_sibling = {};  // nothing: companions are reported as missing
};

// ForeignFormat returns the name of the format of a file that is not read here, or nothing. Errors: kIo.
Result<const char*> ForeignFormat(const ByteSource& source);

// IsUnmarkedLzma says whether a file is LZMA with another header than the usual one, and holds what is read here.
Result<bool> IsUnmarkedLzma(const SharedSource& source);

// MayBePickle says whether some loader may take a file for a pickle, read to its end here or not. Errors: kIo.
Result<bool> MayBePickle(const SharedSource& source, const Limits& limits);

// ImportPickleFamily recognises the format by content and returns the model, with names of tensors, without having
// executed anything. Errors: kUnsafe with a rule id as code and the offending name as subject; kMalformed, kUnsupported
// ("FILE-UNSUPPORTED" also for bytes that are none of these formats), kLimit, kIo. Safe to call from several threads.
Result<ImportedModel> ImportPickleFamily(SharedSource source, const ImportOptions& options);

}  // namespace safemodel::pickle
