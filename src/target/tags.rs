//! stub
/// One tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WheelTag {
    /// a
    pub python: String,
    /// a
    pub abi: String,
    /// a
    pub platform: String,
}
