// Q5M: nibbles, high bits, f16 scales and minima.
//% set low = 4
//% set high = 1
//% include "quant/min32.wgsl"
