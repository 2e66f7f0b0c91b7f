"""The control plane: gRPC services, who may call them, the audit trail, the gRPC-web door."""
