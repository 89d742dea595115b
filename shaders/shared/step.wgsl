// What a step is, written by the CPU before it runs, in rows of four numbers:
//
//   0: n_tokens, first of the tiles, of the outputs, of the angles     1: first output of each class of sampling, first of the reports
//   2 + token: id or NEXT, slot, position, first of the block table    spans of one token come before longer ones
//   tile: first token, end of its span, position of the first token, first of the block table
//   output: token, slot, seed, index of the random number              sorted by class
//   report: output, token or NEXT for the one drawn, how many of the largest besides
//   block tables: physical pages of a sequence, four a row             angles: see rotate_heads.wgsl
@group(0) @binding(1) var<storage, read> step: array<vec4<u32>>;

const NEXT: u32 = 0xffffffffu;
const FIRST_ROW: u32 = 2u;

fn page_of(block_table: u32, page: u32) -> u32 {
    return step[block_table + page / 4u][page % 4u];
}
