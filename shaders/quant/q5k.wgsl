// Q5K: nibbles, high bits, scales of Q5_K.
//% set low = 4
//% set high = 1
//% include "quant/min256.wgsl"
