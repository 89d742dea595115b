// Z8 in groups of 128.
//% set bits = 8
//% set shift = 4
//% include "quant/zero.wgsl"
