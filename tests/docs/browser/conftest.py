"""The pages as they are built, in a real Chromium that opens them from the disk."""

from tests.support.chromium import chromium

__all__ = ["chromium"]
