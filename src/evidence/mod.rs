//! What can be said of an archive, in forms that others can check.

mod bundle;
mod dsse;
mod facts;
mod keys;
mod manifest;
mod origins;
mod provenance;
pub(crate) mod purl;
mod sbom;
mod statement;

pub use crate::json::{JsonFault, parse_json};
pub use bundle::{Attestation, Bundle, BundleFault};
pub use dsse::{ATTESTATION_LIMIT, Envelope, EnvelopeFault, PAYLOAD_TYPE, VerifiedPayload, pre_authentication};
pub use facts::{Distribution, EmbeddedSbom, Facts};
pub use keys::{KeyFault, KeyId, KeyType, NoRandomness, PublicKey, SignatureFault, SigningKey};
pub use manifest::{
    MANIFEST_PATH, Manifest, ManifestFile, ManifestSource, ManifestWheel, Recipe, RecipeFile, RecipeInput,
    RecipeTarget, Tool,
};
pub use origins::{BuildRequirementNote, ORIGINS_PATH, OriginNote, Origins, Provider};
pub use provenance::{
    BUILD_TYPE, BuilderId, BuilderIdError, Claims, LOCAL_BUILDER, PROVENANCE_TYPE, Provenance, ProvenanceFault,
    provenance_predicate, provenance_statement,
};
pub use purl::IndexNote;
pub use sbom::{SBOM_LIMIT, SbomFault, check_sbom, cyclonedx, spdx};
pub use statement::{
    STATEMENT_LIMIT, STATEMENT_TYPE, Statement, StatementFault, Subject, check_subject, write_statement,
};
