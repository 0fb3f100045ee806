"""HTTP as the gateway speaks it: server, protocol, bodies, envelope, errors, paths."""
