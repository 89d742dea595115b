/// Assignments of one expert that are computed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// The expert.
    pub expert: u32,
    /// Place of the first assignment among the sorted ones.
    pub first: u32,
    /// Assignments.
    pub count: u32,
}

/// Sorts assignments by expert and cuts those of each into tiles of at most `tile_m`.
///
/// `experts` is the expert of each assignment; returns the assignments, where those of an expert may be in any order,
/// and the tiles.
pub fn group_tokens(experts: &[u32], tile_m: usize) -> (Vec<u32>, Vec<Tile>) {
    let expert = |&assignment: &u32| experts[assignment as usize];
    let mut assignments: Vec<u32> = (0..experts.len() as u32).collect();
    assignments.sort_by_key(expert);
    let (mut tiles, mut first) = (Vec::new(), 0);
    for group in assignments.chunk_by(|a, b| expert(a) == expert(b)) {
        for run in group.chunks(tile_m) {
            tiles.push(Tile { expert: expert(&run[0]), first, count: run.len() as u32 });
            first += run.len() as u32;
        }
    }
    (assignments, tiles)
}
