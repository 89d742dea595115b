//! Bringing many bytes to the device without holding many of them.

#[cfg(target_arch = "wasm32")]
mod queued;
#[cfg(not(target_arch = "wasm32"))]
mod staged;

#[cfg(target_arch = "wasm32")]
pub use queued::Uploads;
#[cfg(not(target_arch = "wasm32"))]
pub use staged::Uploads;
