// Order of floats, given by their bits, as order of unsigned integers.
fn ordered(bits: u32) -> u32 {
    return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}
