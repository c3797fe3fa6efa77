// SPDX-License-Identifier: Apache-2.0
#include "pickle/recognise.h"

#include <algorithm>
#include <string_view>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/findings.h"
#include "pickle/machine.h"
#include "pickle/tar.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kHeadBytes = 512;  // the first header of a tar
constexpr std::uint64_t kWindow = 64u << 10;

// Signature is how files of a format that is not read here begin.
struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* format;
};

constexpr Signature kForeign[] = {
    {0, "GGUF", "GGUF"},
    {0, std::string_view("\x89HDF\r\n\x1a\n", 8), "HDF5 (Keras)"},
    {4, "TFL3", "TensorFlow Lite"},
    {0, std::string_view("7z\xBC\xAF\x27\x1C", 6), "7-Zip archive"},
    {0, "Rar!\x1A\x07", "RAR archive"},
    {0, std::string_view("\x28\xB5\x2F\xFD", 4), "zstd"},
    {0, std::string_view("\x08\x07\x12", 3), "ONNX"},  // ir_version 7, then the producer's name
    {0, std::string_view("\x08\x08\x12", 3), "ONNX"},
    {0, std::string_view("\x08\x09\x12", 3), "ONNX"},
    {0, std::string_view("\x08\x0A\x12", 3), "ONNX"},
};

}  // namespace

const char* ForeignFormat(ByteView head) {
  for (const Signature& signature : kForeign) {
    if (AsText(head).substr(std::min(signature.offset, head.size())).starts_with(signature.bytes)) {
      return signature.format;
    }
  }
  return nullptr;
}

Result<ByteBuffer> HeadOf(const ByteSource& source) {
  return ReadRange(source, 0, std::min(kHeadBytes, source.size()), kHeadBytes);
}

Status CheckPolyglot(ByteView head) {
  const bool bzip2 =
      head.size() >= 4 && head[0] == 'B' && head[1] == 'Z' && head[2] == 'h' && head[3] >= '1' && head[3] <= '9';
  if (!bzip2 && !LooksLikeTar(head)) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT", "the file is an archive too, whose content other readers load", 0};
}

Status CheckPlainReading(const SharedSource& source, const ImportOptions& options) {
  Findings findings;
  Graph graph(source);
  ImportTables tables;
  RuleContext context{graph, tables, options.limits, findings, options.user};
  const auto plain = RunMachine(context, 0, {.unknown = options.unknown});
  if (plain.ok() || plain.error().stage != Stage::kUnsafe) return {};
  for (const char* act : {"GLOBAL-DANGEROUS", "GLOBAL-DOTTED", "CALL-UNLISTED", "CALL-NOT-GLOBAL", "CALL-ARGS",
                          "NEW-UNLISTED"}) {
    if (std::string_view(plain.error().code) == act) return plain.error();
    // Oddities may stand in front of it: chance makes them of numbers.
    if (findings.Holds(act)) return Error{Stage::kUnsafe, act, "pickle.load comes to call something in this file", 0};
  }
  return {};
}

Result<std::uint64_t> SkipZeros(const ByteSource& source, std::uint64_t begin) {
  for (std::uint64_t at = begin; at < source.size(); at += kWindow) {
    SAFEMODEL_ASSIGN(const ByteBuffer window, ReadRange(source, at, std::min(kWindow, source.size() - at), kWindow));
    const auto found = std::find_if(window.begin(), window.end(), [](std::uint8_t byte) { return byte != 0; });
    if (found != window.end()) return at + static_cast<std::uint64_t>(found - window.begin());
  }
  return source.size();
}

}  // namespace safemodel::pickle
