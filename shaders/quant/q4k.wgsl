// Q4K: nibbles, scales of Q4_K.
//% set low = 4
//% set high = 0
//% include "quant/min256.wgsl"
