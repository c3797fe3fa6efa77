// SPDX-License-Identifier: Apache-2.0
// Edits inside valid FlatBuffers, for tests: takes fields away, changes numbers, adds fields that the schema does not
// have.
#pragma once

#include <doctest/doctest.h>

#include "container/wire.h"

namespace safemodel::container {

// AsTable sees a generated table as the plain table that it is.
template <typename T>
flatbuffers::Table* AsTable(const T* table) {
  return reinterpret_cast<flatbuffers::Table*>(const_cast<T*>(table));
}

inline flatbuffers::voffset_t* VtableOf(const flatbuffers::Table* table) {
  return reinterpret_cast<flatbuffers::voffset_t*>(const_cast<std::uint8_t*>(table->GetVTable()));
}

// EraseField makes a field absent by clearing its entry in the vtable.
template <typename T>
void EraseField(const T* table, flatbuffers::voffset_t field) {
  flatbuffers::voffset_t* vtable = VtableOf(AsTable(table));
  REQUIRE(field < vtable[0]);
  REQUIRE(vtable[field / 2] != 0);
  vtable[field / 2] = 0;
}

// SetNumber changes a scalar that is there.
template <typename Number, typename T>
void SetNumber(const T* table, flatbuffers::voffset_t field, Number value) {
  REQUIRE(AsTable(table)->CheckField(field));
  flatbuffers::WriteScalar(AsTable(table)->GetAddressOf(field), value);
}

// Root returns the root table of a buffer that tests may change.
template <typename T>
const T* Root(ByteBuffer& bytes) {
  return flatbuffers::GetRoot<T>(bytes.data());
}

}  // namespace safemodel::container
