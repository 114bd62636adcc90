"""From files to networks: reading without weights, binding inputs, walking graphs."""
