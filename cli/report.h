// SPDX-License-Identifier: Apache-2.0
// How verbs show models, signatures and errors: the same words in every verb.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <safemodel/encrypt.h>
#include <safemodel/model.h>
#include <safemodel/sign.h>

#include "console.h"
#include "json_writer.h"

namespace safemodel::cli {

// WriteError adds stage, code, message, subject and offset to an open object.
void WriteError(JsonWriter& json, const Error& error);
// WriteIdentity adds name, version, sequence, created, file id, manifest digest and public metadata to an open object.
void WriteIdentity(JsonWriter& json, const ModelInfo& info);
// WriteSignatures adds the member "signatures".
void WriteSignatures(JsonWriter& json, std::span<const SignatureReport> signatures);
// WriteSigned adds what every new signature tells to an open object; PrintSigned begins its report for people, and
// PrintEnvelope ends it.
void WriteSigned(JsonWriter& json, const SignReport& report);
void PrintSigned(const SignReport& report);
void PrintEnvelope(const SignReport& report);
// WarnOfOutlasted notes that a new end changes nothing yet, where that is so.
void WarnOfOutlasted(const Console& console, const SignReport& report);
// WriteTensors adds the member "tensors".
void WriteTensors(JsonWriter& json, std::span<const Tensor> tensors, std::span<const ElementType> types);
// WriteTree adds the member "tree": {"nodes": [...]}, a flat table in which node 0 is the root and children are
// numbers, so that shared nodes stay shared and depth does not matter.
void WriteTree(JsonWriter& json, const ValueTree& tree);

// WriteWraps adds the member "recipients"; PrintWraps prints a line for each.
void WriteWraps(JsonWriter& json, std::span<const KeyWrap> wraps);
void PrintWraps(std::span<const KeyWrap> wraps);

void PrintSignatures(std::span<const SignatureReport> signatures);
void PrintTensors(std::span<const Tensor> tensors, std::span<const ElementType> types);
// PrintTree shows a tree for people: indented, shared nodes as references, at most `lines` lines.
void PrintTree(const ValueTree& tree, std::span<const Tensor> tensors, std::size_t lines);
// TypeText returns the name of a tensor's elements, such as "f32" or "text:28".
std::string TypeText(const Tensor& tensor, std::span<const ElementType> types);
// ShapeText returns "[2, 3]".
std::string ShapeText(const std::vector<std::uint64_t>& shape);

}  // namespace safemodel::cli
