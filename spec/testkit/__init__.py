# SPDX-License-Identifier: Apache-2.0
"""A second implementation of the container format, written from the spec alone.

It shares no code with the library: it exists to make the vectors in spec/vectors, and to disagree with the library
where one of the two reads the spec wrongly. `python -m testkit --out DIR` (with spec/ as the current folder) makes
every vector again, bit for bit.
"""
