// SPDX-License-Identifier: Apache-2.0
// The tables inside the directory. Each has rules that reader and writer share, a decoder that applies them entry by
// entry (so that entries which share bytes are refused before they take memory), and an encoder.
#pragma once

#include <span>
#include <vector>

#include "container/wire.h"

namespace safemodel::container {

using WireElementTypes = flatbuffers::Vector<flatbuffers::Offset<wire::ElementType>>;
using WireTensors = flatbuffers::Vector<flatbuffers::Offset<wire::Tensor>>;

// Element types.
Status CheckElementTypes(const std::vector<ElementType>& types, const Limits& limits);
Result<std::vector<ElementType>> DecodeElementTypes(WireReader& reader, const WireElementTypes* entries,
                                                    const Limits& limits);
flatbuffers::Offset<WireElementTypes> EncodeElementTypes(flatbuffers::FlatBufferBuilder& builder,
                                                         const std::vector<ElementType>& types);

// IsDtype says whether a number is that of a dtype.
bool IsDtype(std::uint8_t number);

// DecodeDtype takes over a dtype with the number of its element type, which is there exactly for extended dtypes.
// kUnsupported "unknown_dtype", kMalformed "bad_element_type".
struct DtypeReference {
  Dtype dtype = Dtype::kU8;
  std::uint32_t element_type = 0;
};
Result<DtypeReference> DecodeDtype(flatbuffers::Optional<std::uint8_t> dtype,
                                   flatbuffers::Optional<std::uint32_t> element_type);
flatbuffers::Optional<std::uint32_t> WireElementType(Dtype dtype, std::uint32_t element_type);

// Tensors. The rules need no objects; CheckTensorsInStorages needs the plain size of each storage.
Status CheckTensors(const Directory& directory, const Limits& limits);
Result<std::vector<TensorRecord>> DecodeTensors(WireReader& reader, const WireTensors* entries,
                                                const Directory& directory, const Limits& limits);
flatbuffers::Offset<WireTensors> EncodeTensors(flatbuffers::FlatBufferBuilder& builder,
                                               const std::vector<TensorRecord>& tensors);
Status CheckTensorsInStorages(const Directory& directory, std::span<const std::uint64_t> storage_bytes);

}  // namespace safemodel::container
