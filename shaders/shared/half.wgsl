// Exact f16 -> f32 for block scales: devices may flush the subnormals that unpack2x16float would return, and a
// flushed scale wipes out a block whose weights still matter after the multiplication by up to 127.
fn half_to_float(bits: u32) -> f32 {
    let magnitude = bits & 0x7fffu;
    let normal = bitcast<f32>((magnitude << 13u) + 0x38000000u);
    let subnormal = f32(magnitude) * 5.9604644775390625e-8;
    let value = select(normal, subnormal, magnitude < 0x400u);
    return select(value, -value, (bits & 0x8000u) != 0u);
}
