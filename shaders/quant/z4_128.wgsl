// Z4 in groups of 128.
//% set bits = 4
//% set shift = 4
//% include "quant/zero.wgsl"
