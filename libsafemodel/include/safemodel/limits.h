// SPDX-License-Identifier: Apache-2.0
// Limits of a reader: nothing is allocated or walked beyond them. The table "Limits" of the spec repeats this header
// and a test compares the two.
#pragma once

#include <cstdint>

namespace safemodel {

// Limits bound what one container may make a reader do. A field over its limit is refused with Stage::kLimit before
// anything of that size is allocated.
struct Limits {
  std::uint64_t manifest_bytes = 1u << 20;       // kilobytes are expected; FlatBuffers needs less than 2^31
  std::uint64_t directory_bytes = 1u << 30;      // names, shapes and value tree of very large models
  std::uint64_t envelope_bytes = 8u << 20;       // 64 statements of 64 KiB, with room
  std::uint64_t total_plain_bytes = 1ull << 46;  // 64 TiB: above any model, below every overflow
  std::uint32_t objects = 1u << 22;              // one each for storages and files
  std::uint64_t chunks = 1ull << 28;             // 256 TiB at 1 MiB a chunk
  std::uint32_t chunk_bytes_min = 4u << 10;      // smaller ones spend more on the index than they save
  std::uint32_t chunk_bytes_max = 64u << 20;     // what one thread may hold
  std::uint32_t bucket_bytes_max = 1u << 20;     // padding of one encrypted chunk
  std::uint32_t tensors = 1u << 22;              // names in the tensor table
  std::uint32_t element_types = 1u << 16;        // extended dtypes
  std::uint32_t record_fields = 1u << 16;        // fields of all record types together
  std::uint32_t record_depth = 16;               // records inside records
  std::uint32_t files = 1u << 20;                // packed files
  std::uint32_t path_components = 32;            // folders of a packed file
  std::uint32_t path_component_bytes = 255;      // what file systems hold
  std::uint64_t listing_bytes = 64u << 20;       // a listing of files or of a set: 2^17 files with long paths
  std::uint32_t listing_patterns = 256;          // patterns of a listing
  std::uint32_t set_members = 4096;              // containers of a set
  std::uint32_t name_bytes = 4096;               // a tensor name
  std::uint32_t model_name_bytes = 255;          // a model name, or a version
  std::uint32_t metadata_entries = 4096;         // keys of one metadata table
  std::uint32_t metadata_bytes = 1u << 20;       // keys and values of one metadata table
  std::uint32_t extensions = 64;                 // extensions of the manifest
  std::uint32_t rank = 64;                       // dimensions of a tensor; PyTorch and numpy hold 64
  std::uint32_t tree_nodes = 1u << 27;           // nodes of the value tree
  std::uint32_t tree_depth = 10000;              // nesting of the value tree
  std::uint32_t int_bytes = 1u << 16;            // one integer of the value tree
  std::uint32_t alias_expansion = 8;             // plain bytes produced from one byte of storage (tied weights need 2)
  std::uint32_t envelope_items = 512;            // items of an envelope, of known and unknown kinds together
  std::uint32_t decode_expansion = 64;           // plain bytes decoded for one byte of an object, or made of it
  std::uint32_t statements = 64;                 // signature items of an envelope
  std::uint32_t key_wraps = 64;                  // key wrap items of an envelope
  std::uint32_t statement_bytes = 64u << 10;     // the JSON text of one statement
  std::uint32_t json_depth = 16;                 // nesting of a statement
  std::uint32_t log_proofs = 64;                 // log proof items of an envelope
  std::uint32_t log_proof_bytes = 96u << 10;     // one log proof, with the entry and the checkpoint in it
  std::uint32_t log_note_bytes = 64u << 10;      // a signed note: a checkpoint with its signatures
  std::uint32_t note_signatures = 64;            // signature lines of a note
  std::uint32_t log_entry_bytes = 8u << 10;      // the JSON text of one log entry
  std::uint64_t json_integer_max = (1ull << 53) - 1;  // exact in every JSON reader; release sequences too
};

}  // namespace safemodel
