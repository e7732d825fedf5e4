"""Fuzzing of every parser of foreign input: invalid input is rejected by the expected errors.

`targets` holds each parser with its invariants, `inputs` generates the input. The tests try some hundred
inputs of each. To fuzz for longer, guided by code coverage:

    python3.11 -m venv fuzzing
    fuzzing/bin/pip install '.[all]' atheris hypothesis
    fuzzing/bin/python -m tests.fuzzing info certificate --seconds 600

A failing input is stored in a file; `--again FILE` runs it again.
"""
