"""Between our types and the wire; the only package that converts.

`names` reads and writes resource names, `errors` carries TunerError over a
gRPC status, `spec`, `record` and `curve` convert messages, `pages` makes page
tokens.
"""
