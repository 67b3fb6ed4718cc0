"""The part that decides and never waits: values in, values out.

Nothing here awaits, reads a clock, draws a random number or opens a file; import-linter holds that.
The clients above do what this package says.
"""
