//! Work that goes deeper than the caller's stack may be.

/// Does it on a stack of its own, so that a grammar of many rules that lead from one to the next does not end the process.
///
/// # Errors
/// If it panics, or there is no stack.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    /// Reserved, and used as far as the work goes.
    const STACK: usize = 256 << 20;
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().name("grammar".into()).stack_size(STACK).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| format!("there is no memory to read it: {error}"))?;
        thread.join().map_err(|_| "it cannot be read".to_owned())
    })
}

/// Does it; a tab has one stack.
#[cfg(target_family = "wasm")]
pub(crate) fn run<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    Ok(work())
}
