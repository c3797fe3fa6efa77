// SPDX-License-Identifier: Apache-2.0
// Classes of one's own that a scan or a conversion takes for known, by files that state their attributes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <safemodel/bytes.h>
#include <safemodel/result.h>

namespace safemodel {

namespace pickle {
class AllowList;
}

// AllowedClasses extends the allow-list of pickles by classes, never by anything that is called: an object of such a
// class is made empty and gets a dict of attributes of the stated types, or it stays unknown. Immutable; copies share
// it, from any threads. docs/allow-list.md describes the files.
class AllowedClasses {
 public:
  struct File {
    std::string path;
    Digest blake3{};
    std::size_t classes = 0;
  };
  struct Text {
    std::string name;  // what messages call it
    std::string text;
  };

  // Without a file nothing is added.
  AllowedClasses() = default;
  // FromFiles reads TOML files, whose classes may name each other. All refusals are kConfig, with file, line and key as
  // subject: also a file that is missing, no regular file, or writable by group or others.
  static Result<AllowedClasses> FromFiles(const std::vector<std::string>& paths);
  // Parse takes the same from memory.
  static Result<AllowedClasses> Parse(const std::vector<Text>& texts);

  [[nodiscard]] const std::vector<File>& files() const { return files_; }

 private:
  friend const pickle::AllowList* TableOf(const AllowedClasses& allowed);
  std::vector<File> files_;
  std::shared_ptr<const pickle::AllowList> table_;
};

}  // namespace safemodel
