# SPDX-License-Identifier: Apache-2.0
"""The vectors, a module for each group of rules."""
