# SPDX-License-Identifier: Apache-2.0
"""A second reader, written from the spec, to be compared with the library on inputs that nobody thought of.

It favours being obviously right over speed, and reads whole files into memory.
"""


class Refusal(Exception):
    """The answer of a reader that refuses: the stage word of the spec, the rule, and the code where one is named."""

    def __init__(self, stage, rule, code=None):
        super().__init__(f"{stage} [{rule}]")
        self.stage, self.rule, self.code = stage, rule, code


def require(condition, stage, rule, code=None):
    if not condition:
        raise Refusal(stage, rule, code)


def malformed_unless(condition, rule, code=None):
    require(condition, "malformed", rule, code)


LIMITS = {
    "manifest_bytes": 1 << 20,
    "directory_bytes": 1 << 30,
    "envelope_bytes": 8 << 20,
    "total_plain_bytes": 1 << 46,
    "objects": 1 << 22,
    "chunks": 1 << 28,
    "chunk_bytes_min": 4096,
    "chunk_bytes_max": 64 << 20,
    "bucket_bytes_max": 1 << 20,
    "tensors": 1 << 22,
    "element_types": 1 << 16,
    "record_fields": 1 << 16,
    "record_depth": 16,
    "files": 1 << 20,
    "path_components": 32,
    "path_component_bytes": 255,
    "name_bytes": 4096,
    "model_name_bytes": 255,
    "metadata_entries": 4096,
    "metadata_bytes": 1 << 20,
    "extensions": 64,
    "rank": 64,
    "tree_nodes": 1 << 27,
    "tree_depth": 10000,
    "int_bytes": 1 << 16,
    "alias_expansion": 8,
    "envelope_items": 512,
    "decode_expansion": 64,
    "statements": 64,
    "key_wraps": 64,
    "statement_bytes": 64 << 10,
    "json_depth": 16,
    "json_integer_max": (1 << 53) - 1,
}
