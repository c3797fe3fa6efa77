// SPDX-License-Identifier: Apache-2.0
#include "pickle/recognise.h"

#include <algorithm>
#include <string_view>

#include "base/cursor.h"
#include "base/try.h"
#include "pickle/scan_text.h"
#include "pickle/tar.h"
#include "pickle/wrapper.h"

namespace safemodel::pickle {
namespace {

constexpr std::uint64_t kHeadBytes = 512;  // the first header of a tar
constexpr std::uint64_t kWindow = 64u << 10;
constexpr std::uint64_t kFirstWindow = 64;

// Signature is how files of a format that is not read here begin.
struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* format;
};

constexpr const char* kHdf5 = "HDF5 (Keras)";
constexpr std::string_view kHdf5Magic("\x89HDF\r\n\x1a\n", 8);
constexpr std::string_view kZstdMagic("\x28\xB5\x2F\xFD", 4);

constexpr Signature kForeign[] = {
    {0, "GGUF", "GGUF"},
    {0, kHdf5Magic, kHdf5},
    {4, "TFL3", "TensorFlow Lite"},
    {0, std::string_view("7z\xBC\xAF\x27\x1C", 6), "7-Zip archive"},
    {0, "Rar!\x1A\x07", "RAR archive"},
    {0, kZstdMagic, "zstd"},
};

// IsOnnx: the version of the format, and behind it the name of the producer or the graph.
bool IsOnnx(ByteView head) {
  constexpr std::uint8_t kVersion = 0x08, kProducer = 0x12, kGraph = 0x3A;
  return head.size() >= 3 && head[0] == kVersion && head[1] >= 3 && head[1] <= 13 &&
         (head[2] == kProducer || head[2] == kGraph);
}

Result<bool> StandsAt(const ByteSource& source, std::uint64_t offset, std::string_view bytes) {
  if (offset > source.size() || source.size() - offset < bytes.size()) return false;
  SAFEMODEL_ASSIGN(const ByteBuffer found, ReadRange(source, offset, bytes.size(), bytes.size()));
  return AsText(found) == bytes;
}

// IsHdf5BehindOther: in front of HDF5 there may be anything, of 512 bytes or twice, four times and so on as many.
Result<bool> IsHdf5BehindOther(const ByteSource& source) {
  constexpr std::uint64_t kFirst = 512;
  const std::uint64_t end = source.sequential() ? std::min(source.size(), kMostText) : source.size();
  for (std::uint64_t at = kFirst; at < end; at *= 2) {
    SAFEMODEL_ASSIGN(const bool found, StandsAt(source, at, kHdf5Magic));
    if (found) return true;
  }
  return false;
}

}  // namespace

Result<const char*> ForeignFormat(const ByteSource& source) {
  SAFEMODEL_ASSIGN(const ByteBuffer head, HeadOf(source));
  for (const Signature& signature : kForeign) {
    if (AsText(head).substr(std::min(signature.offset, head.size())).starts_with(signature.bytes)) {
      return signature.format;
    }
  }
  if (IsOnnx(head)) return "ONNX";
  SAFEMODEL_ASSIGN(const auto behind, BehindSkippedFrames(source));
  if (behind) {
    SAFEMODEL_ASSIGN(const bool zstd, StandsAt(source, *behind, kZstdMagic));
    if (zstd) return "zstd";
  }
  SAFEMODEL_ASSIGN(const bool hdf5, IsHdf5BehindOther(source));
  return hdf5 ? kHdf5 : nullptr;
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

Status CheckNoTar(ByteView head) {
  if (!OpensAsTar(head)) return {};
  return Error{Stage::kUnsafe, "FILE-POLYGLOT", "the file is a tar archive too, whose content other readers load", 0};
}

Result<std::uint64_t> SkipZeros(const ByteSource& source, std::uint64_t begin) {
  // Most often the first byte is none, and is asked for behind each of many streams.
  std::uint64_t size = kFirstWindow;
  for (std::uint64_t at = begin; at < source.size(); at += size, size = kWindow) {
    SAFEMODEL_ASSIGN(const ByteBuffer window, ReadRange(source, at, std::min(size, source.size() - at), kWindow));
    const auto found = std::find_if(window.begin(), window.end(), [](std::uint8_t byte) { return byte != 0; });
    if (found != window.end()) return at + static_cast<std::uint64_t>(found - window.begin());
  }
  return source.size();
}

}  // namespace safemodel::pickle
