//! What can be said of an archive, in forms that others can check.

mod facts;
mod json;
mod manifest;
mod origins;
pub(crate) mod purl;
mod sbom;

pub use facts::{Distribution, EmbeddedSbom, Facts};
pub use json::{JsonFault, parse_json};
pub use manifest::{
    MANIFEST_PATH, Manifest, ManifestFile, ManifestSource, ManifestWheel, Recipe, RecipeFile, RecipeInput,
    RecipeTarget, Tool,
};
pub use origins::{BuildRequirementNote, ORIGINS_PATH, OriginNote, Origins, Provider};
pub use purl::IndexNote;
pub use sbom::{SBOM_LIMIT, SbomFault, check_sbom, cyclonedx, spdx};
