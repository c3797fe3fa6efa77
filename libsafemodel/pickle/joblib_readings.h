// SPDX-License-Identifier: Apache-2.0
// What readers other than a current joblib make of its files.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <safemodel/result.h>

#include "base/source.h"
#include "pickle/import.h"
#include "pickle/joblib_layout.h"
#include "pickle/pickle_probe.h"

namespace safemodel::pickle {

using NameSet = std::set<std::string>;

// JoblibReading is what joblib itself does when it reads a stream.
struct JoblibReading {
  // Site is where an instruction stands that imports or calls, and the bare name of what.
  struct Site {
    std::uint64_t offset;
    const std::string* name;  // one of parts, or nothing
  };
  NameSet imports;          // as findings name them
  NameSet parts;            // the modules and the names that those are made of
  std::vector<Site> sites;  // by offset
  bool aligned = false;     // padding stands in front of some array
  std::uint64_t end = 0;    // behind STOP, or where it broke
};
JoblibReading ReadingOf(const Graph& graph, const JoblibLayout& layout, std::uint64_t end);

// CheckOtherReadings runs a stream that holds arrays of joblib, and what readers take for further streams behind it, as
// two other readers would: pickle.load, for which the bytes of an array are instructions (arrays by joblib 0.10 to 1.1
// stand behind their wrapper without a byte that stops it), and joblib before 1.2, which takes the padding in front of
// an array for its first bytes, and its last bytes for instructions. That they go wrong is normal; that they come to
// call something that joblib does not is an attack on those who use them. kUnsafe; kLimit LIMIT-COUNT when
// `budget` is spent.
Status CheckOtherReadings(const SharedSource& source, std::uint64_t begin, const ImportOptions& options,
                          const JoblibReading& joblib, StreamBudget& budget);

}  // namespace safemodel::pickle
