// Q4: nibbles, f16 scales.
//% set low = 4
//% set high = 0
//% include "quant/scale32.wgsl"
