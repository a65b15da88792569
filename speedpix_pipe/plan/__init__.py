"""What a run will do: fan-out, order, fingerprints, estimates. Pure, apart from reading the values of expressions."""
