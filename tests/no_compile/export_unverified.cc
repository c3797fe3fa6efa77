// SPDX-License-Identifier: Apache-2.0
// Export takes a verified model; a path, which nobody vouched for, is not one.
// expect: (no matching|cannot convert|invalid initialization|could not bind|no viable|no known conversion)
#include <safemodel/export.h>

safemodel::Status Use(const safemodel::VerifiedModel& model) {
#ifdef MISUSE
  static_cast<void>(model);
  const auto report = safemodel::Export("model.safemodel", "out", safemodel::ExportFormat::kNpz, {});
#else
  const auto report = safemodel::Export(model, "out", safemodel::ExportFormat::kNpz, {});
#endif
  return report.ok() ? safemodel::Status() : safemodel::Status(report.error());
}
