"""The gRPC-web door: a browser's calls over HTTP, handed on as raw bytes to the gRPC server's unix socket."""
