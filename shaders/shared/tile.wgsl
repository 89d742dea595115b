// Assignments of one expert that a grouped GEMM computes together.
struct Tile {
    expert: u32,
    // place of the first in the sorted assignments
    first: u32,
    // 0: nothing to do
    count: u32,
}
