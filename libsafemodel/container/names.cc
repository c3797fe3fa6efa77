// SPDX-License-Identifier: Apache-2.0
#include "container/names.h"

#include <algorithm>

#include "base/utf8.h"
#include "container/refuse.h"

namespace safemodel::container {
namespace {

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool IsNameComponent(std::string_view component) {
  if (component.empty() || component == "." || component == "..") return false;
  return std::all_of(component.begin(), component.end(), IsNameCharacter);
}

}  // namespace

Status CheckModelName(std::string_view name, const Limits& limits) {
  if (name.size() > limits.model_name_bytes)
    return OverLimit("long_model_name", "the model name is longer than its limit");
  std::string_view rest = name;
  while (true) {
    const std::size_t slash = rest.find('/');
    if (!IsNameComponent(rest.substr(0, slash))) {
      return Malformed("bad_model_name",
                       "a model name is made of ASCII letters, digits, '.', '_' and '-', with '/' between its parts",
                       name);
    }
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Status CheckModelVersion(std::string_view version, const Limits& limits) {
  if (version.size() > limits.model_name_bytes) {
    return OverLimit("long_model_version", "the model version is longer than its limit");
  }
  if (version.empty() || !std::all_of(version.begin(), version.end(), IsNameCharacter)) {
    return Malformed("bad_model_version", "a model version is made of ASCII letters, digits, '.', '_' and '-'",
                     version);
  }
  return {};
}

Status CheckTensorName(std::string_view name, const Limits& limits) {
  if (name.size() > limits.name_bytes) return OverLimit("long_tensor_name", "a tensor name is longer than its limit");
  if (name.empty() || !IsUtf8(name) || HasControls(name)) {
    return Malformed("bad_tensor_name", "a tensor name is UTF-8 without control characters, and not empty", name);
  }
  return {};
}

Status CheckLabel(std::string_view text, const Limits& limits) {
  if (text.size() > limits.name_bytes) return OverLimit("long_text", "a text is longer than its limit");
  if (!IsUtf8(text) || HasControls(text))
    return Malformed("bad_text", "a text is UTF-8 without control characters", text);
  return {};
}

}  // namespace safemodel::container
