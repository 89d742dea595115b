// Q4M: nibbles, f16 scales and minima.
//% set low = 4
//% set high = 0
//% include "quant/min32.wgsl"
