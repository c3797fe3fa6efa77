// SPDX-License-Identifier: Apache-2.0
// What a scan knows of bytes before it looks at them. Only scan.cc includes this header.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

#include "pickle/zip.h"

namespace safemodel::pickle {

// Role is what is known of bytes before they are looked at.
enum class Role : std::uint8_t {
  kInput,    // a file by itself, or a member of an archive
  kStorage,  // the bytes of a tensor: they are probed, but not followed far
};

// MayHoldPickle is the quick no for constants, of which there are many: pickles declare a protocol, or start with an
// import or the arguments of one.
bool MayHoldPickle(ByteView head);

bool IsKnown(const std::string& name, const std::vector<std::string>& known);

std::string_view BareName(std::string_view name);

// RoleOf: the storages of a pickle that a reader has run lie in the folder of its name.
Role RoleOf(std::string_view name, const std::vector<std::string>& known);

// IsRecord says that a member of a file of torch.save is one of its small texts, with nothing else in it.
Result<bool> IsRecord(const ZipArchive& archive, const ZipEntry& entry, const std::vector<std::string>& known);

}  // namespace safemodel::pickle
