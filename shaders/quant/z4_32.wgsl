// Z4 in groups of 32.
//% set bits = 4
//% set shift = 2
//% include "quant/zero.wgsl"
