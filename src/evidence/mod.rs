//! What can be said of an archive, in forms that others can check.

mod json;
mod manifest;

pub use manifest::{
    MANIFEST_PATH, Manifest, ManifestFile, ManifestSource, ManifestWheel, Recipe, RecipeFile, RecipeInput,
    RecipeTarget, Tool,
};
