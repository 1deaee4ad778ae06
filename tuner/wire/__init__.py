"""Between our types and the wire; the only package that converts.

`names` reads and writes resource names, `caller` says who asks, `errors`
carries TunerError over a gRPC status, `spec`, `record`, `curve`, `jobs` and
`catalog` convert messages, `pages` makes page tokens.
"""
