"""Any bytes, wherever bytes of others come in: what is not understood is refused by errors that say so.

`targets` holds each place with what must hold there, `inputs` makes what comes. The tests look at some
hundred inputs of each. To look for as long as you like, led by what the code does with an input:

    python3.11 -m venv fuzzing
    fuzzing/bin/pip install '.[all]' atheris hypothesis
    fuzzing/bin/python -m tests.fuzzing info certificate --seconds 600

An input that fails is kept in a file, which `--again FILE` tries once more.
"""
