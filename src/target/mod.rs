//! stub
mod tags;
pub use tags::WheelTag;
