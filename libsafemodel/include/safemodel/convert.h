// SPDX-License-Identifier: Apache-2.0
// Conversion: reads a legacy or foreign model without running it and writes a container.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <safemodel/allowed_classes.h>
#include <safemodel/bytes.h>
#include <safemodel/keys.h>
#include <safemodel/limits.h>
#include <safemodel/progress.h>
#include <safemodel/recipients.h>
#include <safemodel/result.h>

namespace safemodel {

enum class CodecChoice : std::uint8_t { kAuto, kRaw, kZstd };

struct ConvertOptions {
  std::string name = {};  // empty: the source's stem, cleaned to the allowed letters
  std::string version = "0";
  std::uint64_t sequence = 0;
  std::vector<std::pair<std::string, std::string>> metadata = {};  // public
  CodecChoice codec = CodecChoice::kAuto;
  int level = 3;         // zstd level where zstd matches
  unsigned threads = 0;  // 0: one for each processor
  std::uint32_t chunk_bytes = 1u << 20;
  enum class Unknown : std::uint8_t { kRefuse, kKeepInert };
  Unknown unknown = Unknown::kRefuse;  // kKeepInert keeps classes nobody vouched for as inert data
  AllowedClasses allowed = {};         // what the caller vouches for beside the built-in allow-list
  enum class Executables : std::uint8_t { kLeaveOut, kInclude };
  // What happens to files of a folder that run: scripts, programs, notebooks, archives, pickles besides the weights.
  Executables executables = Executables::kLeaveOut;
  std::string weights = {};  // the weights of a folder that has several: path of a file, or of an index, in it
  enum class Reproducible : std::uint8_t { kNo, kYes };
  Reproducible reproducible = Reproducible::kNo;  // file id from the content, time from SOURCE_DATE_EPOCH
  enum class Overwrite : std::uint8_t { kRefuse, kReplace };
  Overwrite overwrite = Overwrite::kRefuse;
  enum class SourceSha256 : std::uint8_t { kNo, kYes };
  SourceSha256 source_sha256 = SourceSha256::kNo;
  const Signer* sign_with = nullptr;  // borrowed; signs in role builder before the file gets its name
  // Borrowed. Whoever is named here, and nobody else, reads the container; nobody: it is not encrypted.
  std::span<const Recipient> encrypt_to = {};
  std::uint32_t bucket_bytes = kDefaultBucketBytes;  // stored lengths of encrypted chunks are multiples of it
  Limits limits = {};
  Progress progress = {};
};

// UnlistedName is a global that no table vouches for, with the offset of the opcode that imported it.
struct UnlistedName {
  std::string name;  // "module.qualname", raw
  std::uint64_t offset = 0;
};

// ConvertedFile is a file that was packed beside the tensors.
struct ConvertedFile {
  std::string path;
  std::uint64_t bytes = 0;
  std::string executable;  // "script", "program", "notebook", "keras", "archive" or "pickle"; empty: it is data
};

// LeftOutFile is a file of a folder that was not packed. The reason is one of the words above, or "unknown_pickle" (it
// names classes that nobody vouches for), "unlisted_call" (it calls what nobody vouches for), "unreadable_pickle",
// "unreadable_archive", "other_weights" (the same or another model in files that were not chosen), "container", "git",
// "download_notes".
struct LeftOutFile {
  std::string path;
  std::string reason;
};

// PartOfModel is what the name of a shard says of it: MODEL-00001-of-00002. Zeros for a whole model.
struct PartOfModel {
  std::uint32_t number = 0;
  std::uint32_t count = 0;
};

struct ConvertReport {
  // "torch-zip", "torch-legacy", "torch-tar", "pickle", "joblib", "npy", "npz" or "safetensors"; "sharded-" before it
  // for several files, behind it what the file is compressed with: "joblib, gzip"
  std::string layout;
  std::string verdict;  // "clean" or "unknown"
  std::string name;
  std::string version;
  std::uint64_t sequence = 0;
  std::size_t tensors = 0;
  std::uint64_t source_bytes = 0;
  std::uint64_t tensor_bytes = 0;  // sum over tensors, contiguous
  std::uint64_t container_bytes = 0;
  // BLAKE3 of the source file. Of several files: BLAKE3 of the list that `b3sum` prints of them in the order of their
  // paths (hexadecimal digest, two spaces, path, line feed).
  Digest source_digest{};
  Digest tensor_digest{};
  Digest content_digest{};
  Digest manifest_digest{};
  std::vector<UnlistedName> inert;    // what --allow-unknown kept as inert data
  std::vector<std::string> weights;   // the files that the tensors come from, when there were others
  std::vector<ConvertedFile> files;   // ascending paths
  std::vector<LeftOutFile> left_out;  // ascending paths
  std::vector<std::string> unmapped;  // tensors in shards that their index does not name; they are in the container
  PartOfModel shard;                  // when one shard of a model was converted alone: the rest of it is elsewhere
};

// Convert reads `input` and writes the container `output`. The input is a file, the index of a sharded model, or a
// folder, whose other files are packed beside the tensors. Nothing of the input is ever executed; what the allow-list
// does not know is refused (kUnsafe) with its name as subject and its offset. Until the output gets its name a failure
// leaves nothing behind and nothing changed; kIo "not_durable", and "write_failed" about an old envelope beside it,
// come when it has its name already.
Result<ConvertReport> Convert(const std::string& input, const std::string& output, const ConvertOptions& options);

// Convert with several inputs takes the shards of one model, with or without their index; kUsage "several_inputs"
// otherwise.
Result<ConvertReport> Convert(const std::vector<std::string>& inputs, const std::string& output,
                              const ConvertOptions& options);

}  // namespace safemodel
