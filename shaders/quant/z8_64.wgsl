// Z8 in groups of 64.
//% set bits = 8
//% set shift = 3
//% include "quant/zero.wgsl"
