// SPDX-License-Identifier: Apache-2.0
// Files of other projects: real ones must be read, hostile ones refused. They lie beside the project and are not part
// of it.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/file.h"
#include "pickle/import.h"

namespace safemodel::pickle {
namespace {

namespace fs = std::filesystem;

fs::path Corpus(const std::string& name) {
  const char* source = std::getenv("SAFEMODEL_SOURCE_DIR");
  return fs::path(source != nullptr ? source : ".") / "../shared/corpus" / name;
}

// Files returns what a corpus holds, or nothing (and says so) when it is absent.
std::vector<fs::path> Files(const std::string& name) {
  std::vector<fs::path> files;
  if (!fs::exists(Corpus(name))) {
    MESSAGE("skipped: the corpus " << name << " is absent");
    return files;
  }
  for (const auto& entry : fs::recursive_directory_iterator(Corpus(name))) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<ImportedModel> ImportFile(const fs::path& path) {
  auto file = File::Open(path.string());
  if (!file.ok()) return file.error();
  return ImportPickleFamily(file.value(), {});
}

bool IsZip(const fs::path& path) {
  auto file = File::Open(path.string());
  ByteBuffer head(2);
  return file.ok() && file.value()->size() > 2 && file.value()->ReadAt(0, head).ok() && head[0] == 'P' &&
         head[1] == 'K';
}

bool StartsWith(const fs::path& path, const char* prefix) { return path.filename().string().rfind(prefix, 0) == 0; }

}  // namespace

TEST_CASE("corpus: torch files of gopickle, burn and candle are read, zips and older ones") {
  std::map<std::string, std::size_t> read;
  for (const char* name : {"real/gopickle", "real/burn", "real/candle"}) {
    for (const fs::path& path : Files(name)) {
      // `broken.pt` is a text; candle has arrays of numpy too.
      const std::string suffix = path.extension().string();
      if ((suffix != ".pt" && suffix != ".pth") || path.filename() == "broken.pt") continue;
      CAPTURE(path.filename().string());
      const auto model = ImportFile(path);
      if (!model.ok()) CAPTURE(model.error().code);
      CHECK(model.ok());
      if (!model.ok()) continue;
      CHECK(model.value().layout == (IsZip(path) ? "torch-zip" : "torch-legacy"));
      ++read[name + (" " + model.value().layout)];
      CHECK(!model.value().tensors.empty());
      for (const ImportedTensor& tensor : model.value().tensors) {
        CHECK(!tensor.name.empty());
        REQUIRE(tensor.storage < model.value().storages.size());
        const ByteSource& source = *model.value().storages[tensor.storage].source;
        CHECK(ReadRange(source, 0, source.size(), 1u << 30).ok());
      }
    }
  }
  if (!fs::exists(Corpus("real"))) return;
  CHECK(read["real/gopickle torch-zip"] == 50);
  CHECK(read["real/gopickle torch-legacy"] == 50);
  CHECK(read["real/burn torch-legacy"] == 4);
}

TEST_CASE("corpus: home-made tar files of burn lack what torch wrote") {
  for (const fs::path& path : Files("real/burn")) {
    if (path.extension() != ".tar") continue;
    CAPTURE(path.string());
    const auto model = ImportFile(path);
    REQUIRE(!model.ok());
    CHECK(std::string(model.error().code) == "FILE-MISSING");
    CHECK(model.error().subject == "tensors");
  }
}

TEST_CASE("corpus: the plain files of picklescan are read") {
  const std::set<std::string> plain = {"benign0_v0.pkl",        "benign0_v3.pkl",    "benign0_v4.pkl",
                                       "int_array.npy",         "int_arrays.npz",    "int_arrays_compressed.npz",
                                       "object_array.npy",      "object_arrays.npz", "object_arrays_compressed.npz",
                                       "new_pytorch_model.bin", "pytorch_model.bin"};
  std::size_t read = 0;
  for (const fs::path& path : Files("picklescan")) {
    if (plain.count(path.filename().string()) == 0) continue;
    CAPTURE(path.filename().string());
    CHECK(ImportFile(path).ok());
    ++read;
  }
  if (fs::exists(Corpus("picklescan"))) CHECK(read == plain.size());
}

TEST_CASE("corpus: every hostile file of picklescan is refused") {
  std::map<Stage, std::size_t> stages;
  for (const fs::path& path : Files("picklescan")) {
    const bool hostile = StartsWith(path, "malicious") || StartsWith(path, "GHSA-") || StartsWith(path, "broken_") ||
                         path.string().find("exploit") != std::string::npos || StartsWith(path, "sys_module") ||
                         StartsWith(path, "pytorch_magic") || StartsWith(path, "dns_") || StartsWith(path, "io_") ||
                         StartsWith(path, "logging_") || StartsWith(path, "types_") || StartsWith(path, "urllib_") ||
                         StartsWith(path, "cloudpickle_");
    if (!hostile) continue;
    CAPTURE(path.filename().string());
    const auto model = ImportFile(path);
    CHECK(!model.ok());
    if (model.ok()) continue;
    ++stages[model.error().stage];
    // Pickles are unsafe for what they do; what this version does not open at all is merely unsupported.
    const std::string suffix = path.extension().string();
    if (suffix == ".pkl" || suffix == ".pickle") CHECK(model.error().stage == Stage::kUnsafe);
    CHECK(model.error().stage != Stage::kInternal);
  }
  if (fs::exists(Corpus("picklescan"))) CHECK(stages[Stage::kUnsafe] > 85);
}

}  // namespace safemodel::pickle
