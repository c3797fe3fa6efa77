// SPDX-License-Identifier: Apache-2.0
// The words of a command line as its parser takes them, and what is said of one that it does not know.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace safemodel::cli {

// ArgumentsOf returns the arguments, of which `help VERB` and `version` are other words for --help and --version.
std::vector<std::string> ArgumentsOf(int argc, char** argv);

// UnknownWord says which of the arguments is no verb and no option where it stands, and what may have been meant. It
// is asked only when parsing failed: a value may look like an option.
std::optional<std::string> UnknownWord(const CLI::App& app, const std::vector<std::string>& arguments);

// MissingVerb says which verbs could have followed, when none did.
std::optional<std::string> MissingVerb(const CLI::App& app);

// CommandOf returns the program and the verbs that were understood: "safemodel log init".
std::string CommandOf(const CLI::App& app);

}  // namespace safemodel::cli
