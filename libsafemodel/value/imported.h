// SPDX-License-Identifier: Apache-2.0
// ImportedModel is what a reader of a foreign format returns and what a container is written from: the contract between
// pickle/, formats/ and model/.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <safemodel/convert.h>
#include <safemodel/dtype.h>
#include <safemodel/value_tree.h>

#include "base/source.h"

namespace safemodel {

// ImportedStorage is one memory area of the source. Tensors that share it alias each other.
struct ImportedStorage {
  SharedSource source;        // plain bytes, already little-endian
  Dtype layout = Dtype::kU8;  // what most of its elements are: a hint for the codec
};

// ImportedTensor is a view into a storage. Strides are in elements and never negative. For f4_e2m1 and f6 types the
// tensor is contiguous.
struct ImportedTensor {
  std::string name;
  Dtype dtype = Dtype::kU8;
  std::uint32_t element_type = 0;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;
  std::uint32_t storage = 0;
  std::uint64_t byte_offset = 0;
};

// ImportedFile is a file that travels beside the tensors: a configuration, a tokenizer.
struct ImportedFile {
  std::string path;  // relative, '/' between components
  std::string media_type;
  SharedSource source;
  std::string executable;  // why it counts as something that runs; empty: it is data
};

// ImportedModel: tensor nodes of `tree` index `tensors`. Names may be empty while a reader builds it: NameTensors
// (value/naming.h) gives every tensor its name from the tree, and brings the table in order.
struct ImportedModel {
  // "torch-zip", "torch-legacy", "torch-tar", "pickle", "joblib", "npy", "npz" or "safetensors"; "sharded-" before it
  // for several files, behind it what the file is compressed with: "joblib, gzip"
  std::string layout;
  std::string verdict = "clean";  // or "unknown" when inert nodes were kept
  ValueTree tree;
  std::vector<ImportedStorage> storages;
  std::vector<ElementType> element_types;
  std::vector<ImportedTensor> tensors;
  std::vector<ImportedFile> files;                            // ascending paths
  std::vector<std::pair<std::string, std::string>> metadata;  // of the source format, for the directory
  std::vector<std::string> globals;                           // inventory of imported names, ascending, unique
  std::vector<UnlistedName> inert;
};

}  // namespace safemodel
