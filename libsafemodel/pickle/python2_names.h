// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace safemodel::pickle {

// Python2Name is a module and a name.
struct Python2Name {
  std::string_view module;
  std::string_view name;
};

// MapPython2Name returns what an unpickler of Python 3 imports when a pickle below protocol 3 states this name.
Python2Name MapPython2Name(std::string_view module, std::string_view name);

}  // namespace safemodel::pickle
