"""The witness: the room of the fixed-point kernels that counts are checked against."""
