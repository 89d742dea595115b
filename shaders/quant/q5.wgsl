// Q5: nibbles, high bits, f16 scales.
//% set low = 4
//% set high = 1
//% include "quant/scale32.wgsl"
