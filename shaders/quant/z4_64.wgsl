// Z4 in groups of 64.
//% set bits = 4
//% set shift = 3
//% include "quant/zero.wgsl"
