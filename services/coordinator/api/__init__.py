"""The gRPC services. Thin: they convert, ask the parts, and convert back."""
