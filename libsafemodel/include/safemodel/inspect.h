// SPDX-License-Identifier: Apache-2.0
// Inspection: shows what an unverified file says about itself. Nothing it returns may be trusted.
#pragma once

#include <string>
#include <vector>

#include <safemodel/encrypt.h>
#include <safemodel/model.h>

namespace safemodel {

// UnverifiedObject describes one object of the core.
struct UnverifiedObject {
  std::string kind;  // "directory", "storage", "file"
  std::string form;  // "raw", "coded"
  std::uint64_t plain_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t offset = 0;
  std::uint32_t chunks = 0;
  std::vector<std::pair<std::string, std::uint32_t>> codecs;  // codec name and number of chunks
};

// UnverifiedModel is everything that a container states, parsed but not trusted: signatures are listed, not checked.
struct UnverifiedModel {
  std::uint16_t major = 0;
  std::uint16_t minor = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t core_bytes = 0;
  std::uint32_t chunk_bytes = 0;
  std::string envelope;  // "none", "appended", "sidecar"
  // Present when the container is encrypted. Without an identity the directory is hidden: nothing below but `info`, as
  // far as the manifest tells it, `signatures` and `objects` is known.
  struct Encryption {
    std::string algorithm;
    std::uint32_t bucket_bytes = 0;
    std::vector<KeyWrap> wraps;
    enum class Directory : std::uint8_t { kHidden, kRead };
    Directory directory = Directory::kHidden;
  };
  std::optional<Encryption> encryption;
  ModelInfo info;
  std::vector<SignatureReport> signatures;
  std::vector<UnverifiedObject> objects;
  std::vector<Tensor> tensors;
  std::vector<ElementType> element_types;
  std::vector<PackedFile> files;
  ValueTree tree;
};

// Inspect parses the container at `path`; the directory's chunks are checked against the (unsigned) digests. kKey when
// identities are given and none opens it.
Result<UnverifiedModel> Inspect(const std::string& path, const OpenOptions& options = {});

}  // namespace safemodel
