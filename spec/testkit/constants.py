# SPDX-License-Identifier: Apache-2.0
"""The numbers of format v1, and the fixed keys, file id and clock of the vectors."""

MAGIC = bytes.fromhex("89534d444c0d0a1a")
ENVELOPE_MAGIC = bytes.fromhex("89534d454e560d0a")
MAJOR, MINOR, FLAGS, SUITE = 1, 0, 0, 1
PREAMBLE_BYTES, CHUNK_RECORD_BYTES, OBJECT_RECORD_BYTES = 64, 48, 96

INDEX_SLICE = "safemodel 2026 v1 index slice"
OBJECT_TABLE = "safemodel 2026 v1 object table"
TENSOR_DIGEST = "safemodel 2026 v1 tensor digest"
CONTENT_DIGEST = "safemodel 2026 v1 content digest"

KIND_DIRECTORY, KIND_STORAGE, KIND_FILE = 1, 2, 3
RAW, CODED = 1, 2
CODEC_RAW, CODEC_ZSTD, CODEC_PLANES = 0, 1, 2
LAYOUT_BYTES, LAYOUT_F16, LAYOUT_BF16, LAYOUT_F32, LAYOUT_F64 = range(5)

ITEM_STATEMENT, ITEM_KEY_WRAP, ITEM_LOG_PROOF, ITEM_HARDWARE_STATEMENT, ITEM_RECIPIENT_NOTE = 1, 2, 3, 4, 5

# name: (number, bits of one element)
DTYPES = {
    "bool": (1, 8),
    "u8": (2, 8),
    "i8": (3, 8),
    "u16": (4, 16),
    "i16": (5, 16),
    "u32": (6, 32),
    "i32": (7, 32),
    "u64": (8, 64),
    "i64": (9, 64),
    "f16": (10, 16),
    "bf16": (11, 16),
    "f32": (12, 32),
    "f64": (13, 64),
    "f8_e4m3fn": (14, 8),
    "f8_e4m3fnuz": (15, 8),
    "f8_e5m2": (16, 8),
    "f8_e5m2fnuz": (17, 8),
    "f8_e8m0fnu": (18, 8),
    "f6_e2m3": (19, 6),
    "f6_e3m2": (20, 6),
    "f4_e2m1": (21, 4),
    "complex32": (22, 32),
    "complex64": (23, 64),
    "complex128": (24, 128),
}
BYTES, TEXT, VOID, DATETIME64, TIMEDELTA64, RECORD, FOREIGN = range(32, 39)

CHUNK_SIZE = 4096
FILE_ID = bytes(range(0xA0, 0xB0))
CREATED = 1767225600  # 2026-01-01T00:00:00Z
NOW = 1767312000  # 2026-01-02T00:00:00Z
