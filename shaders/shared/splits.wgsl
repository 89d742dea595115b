// How the workgroups of attend_decode share the cache: the blocks of BLOCK tokens of which the new one sees any, in at
// most max_splits splits of consecutive blocks whose numbers of blocks differ by one at most.
const BLOCK: u32 = ${ block }u;

struct Splits {
    first_block: u32,
    n_blocks: u32,
    n_splits: u32,
}

// The new token is at `position` and sees the last `window` tokens up to itself; 0: all.
fn share_blocks(position: u32, window: u32, max_splits: u32) -> Splits {
    var seen = 0u;
    if (window > 0u && position + 1u > window) {
        seen = position + 1u - window;
    }
    let first = seen / BLOCK;
    let n_blocks = position / BLOCK + 1u - first;
    return Splits(first, n_blocks, min(n_blocks, max_splits));
}
