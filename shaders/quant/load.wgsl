// Weights of one unit of 8 columns, for quants with a scale each. With "span" > 1 units are loaded that many at once, all
// within the columns of one scale, by load_words, load_scale, quants_of and scaled instead.
//% if span == 1
fn load_w8(row: u32, unit: u32, units: u32) -> W8 {
    return scaled(load_quants(row, unit, units), load_scale(row, unit, units));
}
//% endif
