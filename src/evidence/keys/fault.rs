//! Why a key is refused, and why a signature is.

/// Why bytes are not the key that is asked for. No byte of them is told: they may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// More than a key has.
    #[error("it has more than {limit} bytes, which no key has")]
    TooLarge {
        /// How many are read.
        limit: usize,
    },
    /// No PEM.
    #[error("it is not a key in PEM form")]
    NoPem,
    /// Damaged PEM.
    #[error("its PEM block is damaged: {0}")]
    Pem(&'static str),
    /// More than one PEM block.
    #[error("it holds {0} PEM blocks instead of one")]
    Blocks(usize),
    /// A private key under a password.
    #[error("the private key is encrypted")]
    Encrypted,
    /// The same, in a form of cosign's own.
    #[error("the private key is encrypted as only cosign reads it")]
    EncryptedByCosign,
    /// A private key in the older form of SEC 1.
    #[error("the private key is in SEC 1 form (`EC PRIVATE KEY`) instead of PKCS #8 (`PRIVATE KEY`)")]
    Sec1,
    /// A private key in OpenSSH's form.
    #[error("the private key is in OpenSSH's form instead of PKCS #8 (`PRIVATE KEY`)")]
    OpenSsh,
    /// A private key where a public one is asked for.
    #[error("it is a private key, where the public one is asked for")]
    Private,
    /// A public key where a private one is asked for.
    #[error("it is a public key, where the private one is asked for")]
    Public,
    /// A certificate.
    #[error("it is a certificate instead of a key")]
    Certificate,
    /// Another PEM block.
    #[error("it is not a key but `{0}`")]
    Label(String),
    /// A key of another algorithm.
    #[error("the key is for {0}; only P-256 and Ed25519 keys are used")]
    Algorithm(String),
    /// Damaged DER, or not the one encoding that such a key has.
    #[error("the key is damaged, or not encoded as such keys are (DER)")]
    Der,
    /// A public key that is no point.
    #[error("the public key is not a point on its curve, in its one encoding")]
    Point,
    /// A public key for which signatures prove nothing.
    #[error("the public key is a point of low order: anybody can sign for it")]
    LowOrder,
    /// A private key that is no number below the group's order.
    #[error("the private key is out of range")]
    Range,
    /// A private key with a public one of another.
    #[error("the public key inside does not belong to the private one")]
    Halves,
}

impl KeyFault {
    /// One of each, so that every code can be listed.
    pub const CODES: [&'static str; 18] = [
        "key-too-large",
        "key-no-pem",
        "key-pem",
        "key-blocks",
        "key-encrypted",
        "key-encrypted-cosign",
        "key-sec1",
        "key-openssh",
        "key-private",
        "key-public",
        "key-certificate",
        "key-label",
        "key-algorithm",
        "key-der",
        "key-point",
        "key-low-order",
        "key-range",
        "key-halves",
    ];

    /// Its name, which stays.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "key-too-large",
            Self::NoPem => "key-no-pem",
            Self::Pem(_) => "key-pem",
            Self::Blocks(_) => "key-blocks",
            Self::Encrypted => "key-encrypted",
            Self::EncryptedByCosign => "key-encrypted-cosign",
            Self::Sec1 => "key-sec1",
            Self::OpenSsh => "key-openssh",
            Self::Private => "key-private",
            Self::Public => "key-public",
            Self::Certificate => "key-certificate",
            Self::Label(_) => "key-label",
            Self::Algorithm(_) => "key-algorithm",
            Self::Der => "key-der",
            Self::Point => "key-point",
            Self::LowOrder => "key-low-order",
            Self::Range => "key-range",
            Self::Halves => "key-halves",
        }
    }

    /// One thing to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::TooLarge { .. } | Self::NoPem | Self::Label(_) => {
                "a private key begins with `-----BEGIN PRIVATE KEY-----`, a public one with `-----BEGIN PUBLIC KEY-----`"
            }
            Self::Pem(_) => "the first line, the last one, and those between have to stand as they were written",
            Self::Blocks(_) => "give a file with that one key alone",
            Self::Encrypted => "decrypt it on the way: `openssl pkey -in KEY | pyzpack sign APP.pyz --key -`",
            Self::EncryptedByCosign => {
                "sign with `cosign attest-blob --statement APP.pyz.intoto.json`, or make a key with `pyzpack keygen`"
            }
            Self::Sec1 => "`openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW` writes it as PKCS #8",
            Self::OpenSsh | Self::Algorithm(_) => "make a key with `pyzpack keygen`",
            Self::Private => "give its other half, such as PATH.pub; `openssl pkey -in KEY -pubout` writes it",
            Self::Public => "give its other half: the file without `.pub`",
            Self::Certificate => "`openssl x509 -in CERT -pubkey -noout` writes the public key that is in it",
            Self::Der => "`openssl pkey -in KEY -text -noout` (for a public one with `-pubin`) shows what it is",
            Self::Point | Self::LowOrder | Self::Range | Self::Halves => return None,
        })
    }
}

/// Why a signature does not fit a key and a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// Not 64 bytes, for Ed25519.
    #[error("the signature is not an Ed25519 signature: {0} bytes instead of 64")]
    Length(usize),
    /// No ECDSA signature, for P-256.
    #[error("the signature is not the one DER encoding of an ECDSA signature")]
    Der,
    /// The two numbers without the form.
    #[error("the signature is a bare r||s (IEEE P1363) instead of DER")]
    Raw,
    /// A number that is zero, or not below the group's order.
    #[error("a number in the signature is out of range")]
    Range,
    /// A signature of the other type.
    #[error("the signature is {signature}, but the key is {key}")]
    OtherType {
        /// What the key is for.
        key: super::KeyType,
        /// What the signature is of.
        signature: super::KeyType,
    },
    /// Right in form, and wrong.
    #[error("the signature does not fit the text and the key")]
    Wrong,
}

impl SignatureFault {
    /// One of each, so that every code can be listed.
    pub const CODES: [&'static str; 6] = [
        "signature-length",
        "signature-der",
        "signature-raw",
        "signature-range",
        "signature-other-type",
        "signature-wrong",
    ];

    /// Its name, which stays.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length(_) => "signature-length",
            Self::Der => "signature-der",
            Self::Raw => "signature-raw",
            Self::Range => "signature-range",
            Self::OtherType { .. } => "signature-other-type",
            Self::Wrong => "signature-wrong",
        }
    }
}
