"""Who may do what: callers, the rules of every call, limits, TLS and the audit log."""
