//! What likely made two files differ, as data. Causes are guesses, by what differences look like.

/// What likely made two files differ; the first are told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// A file is damaged or cut off.
    Damage,
    /// Something was appended.
    Appended,
    /// Other options or inputs, as both files say themselves.
    Recipe,
    /// Distributions of other versions, or others.
    Versions,
    /// The same versions from other wheels.
    Wheels,
    /// Another version of the tool that packed.
    Tool,
    /// Other options of the tool that packed.
    Options,
    /// Another version of what built a wheel.
    Generator,
    /// A path of the machine that built.
    Path,
    /// The time of the build, written into a file.
    Time,
    /// Something drawn at random, or computed from what differs.
    Random,
    /// The order of a set or of a directory.
    Unsorted,
    /// Line endings.
    LineEndings,
    /// Compiled by another Python.
    BytecodeVersion,
    /// Compiled from a source with another time or digest.
    BytecodeSource,
    /// Compiled in another directory.
    BytecodePath,
    /// The same code, written by another process.
    BytecodeSpelling,
    /// Another compiler.
    Compiler,
    /// Debug information.
    DebugInfo,
    /// Other files.
    Files,
    /// Other contents, for no reason that shows.
    Sources,
    /// The first line.
    FirstLine,
    /// Time stamps in headers.
    TimeStamps,
    /// Another time zone.
    TimeZone,
    /// The order of entries.
    Order,
    /// Permissions.
    Modes,
    /// Stored or packed.
    Method,
    /// Another deflater, or another level of it.
    Deflater,
    /// Another system wrote it.
    System,
    /// Extra fields.
    ExtraFields,
    /// How else the container is written.
    Writer,
}

impl CauseKind {
    /// Its stable name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Appended => "appended",
            Self::Recipe => "recipe",
            Self::Versions => "versions",
            Self::Wheels => "wheels",
            Self::Tool => "tool",
            Self::Options => "options",
            Self::Generator => "generator",
            Self::Path => "path",
            Self::Time => "time",
            Self::Random => "random",
            Self::Unsorted => "unsorted",
            Self::LineEndings => "line-endings",
            Self::BytecodeVersion => "bytecode-version",
            Self::BytecodeSource => "bytecode-source",
            Self::BytecodePath => "bytecode-path",
            Self::BytecodeSpelling => "bytecode-spelling",
            Self::Compiler => "compiler",
            Self::DebugInfo => "debug-info",
            Self::Files => "files",
            Self::Sources => "sources",
            Self::FirstLine => "first-line",
            Self::TimeStamps => "time-stamps",
            Self::TimeZone => "time-zone",
            Self::Order => "order",
            Self::Modes => "modes",
            Self::Method => "method",
            Self::Deflater => "deflater",
            Self::System => "system",
            Self::ExtraFields => "extra-fields",
            Self::Writer => "writer",
        }
    }
}

/// A likely cause, with the members that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Which.
    pub kind: CauseKind,
    /// In plain words.
    pub text: String,
    /// How many members show it; 0 for the file itself.
    pub members: usize,
    /// The first of them.
    pub examples: Vec<String>,
}
