// Tests of floats by their bits: a compiler may assume that isnan() and isinf() are false.

bool is_nonfinite(float x) { return (floatBitsToUint(x) & 0x7f800000u) == 0x7f800000u; }
bool is_nan_bits(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }
bool is_inf_bits(float x) { return (floatBitsToUint(x) & 0x7fffffffu) == 0x7f800000u; }
