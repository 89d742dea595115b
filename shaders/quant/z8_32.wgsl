// Z8 in groups of 32.
//% set bits = 8
//% set shift = 2
//% include "quant/zero.wgsl"
