"""The coordinator: the gRPC server that keeps the record and schedules jobs."""
