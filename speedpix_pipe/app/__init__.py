"""Use cases: what the commands do. The one room that knows all others and wires them."""
