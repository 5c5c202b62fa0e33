use super::*;

/// The bytes of hexadecimal text.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |digit: u8| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap();
    digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// A key from its secret number, or its seed.
fn signing(key_type: KeyType, secret: &str) -> SigningKey {
    match key_type {
        KeyType::P256 => SigningKey::P256(p256::ecdsa::SigningKey::from_slice(&hex(secret)).unwrap()),
        KeyType::Ed25519 => SigningKey::Ed25519(ed25519::Ed25519Signing::from_seed(&hex(secret)).unwrap()),
    }
}

/// An ECDSA signature's two numbers in DER, written by hand.
fn der_of(r: &str, s: &str) -> Vec<u8> {
    let integer = |text: &str| {
        let mut bytes = hex(text);
        if bytes[0] & 0x80 != 0 {
            bytes.insert(0, 0);
        }
        [&[2, u8::try_from(bytes.len()).unwrap()][..], &bytes].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// RFC 6979, A.2.5, with SHA-256.
#[test]
fn signs_with_p256_as_rfc_6979_says() {
    let key = signing(KeyType::P256, "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
    for (message, r, s) in [
        (
            "sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            "test",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
    ] {
        let signature = key.sign(message.as_bytes());
        assert_eq!(signature, der_of(r, s));
        assert_eq!(key.public().verify(message.as_bytes(), &signature), Ok(()));
    }
}

/// RFC 8032, 7.1, tests 1 to 3.
#[test]
fn signs_with_ed25519_as_rfc_8032_says() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
             387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
             4a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let key = signing(KeyType::Ed25519, seed);
        assert_eq!(key.public().point(), hex(public));
        assert_eq!(key.sign(&hex(message)), hex(signature));
        assert_eq!(key.public().verify(&hex(message), &hex(signature)), Ok(()));
    }
}

#[test]
fn keys_are_read_as_they_were_written() {
    for key_type in [KeyType::P256, KeyType::Ed25519] {
        let key = SigningKey::generate(key_type).unwrap();
        let again = SigningKey::from_pem(key.to_pem().as_bytes()).unwrap();
        assert_eq!(again.to_pem(), key.to_pem());
        let public = PublicKey::from_pem(key.public().to_pem().as_bytes()).unwrap();
        assert_eq!(public, again.public());
        assert_eq!(public.verify(b"text", &key.sign(b"text")), Ok(()));
        assert_ne!(SigningKey::generate(key_type).unwrap().public(), public);
    }
}

/// DER: a value with its tag.
fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..128 => vec![u8::try_from(short).unwrap()],
        middle @ 128..256 => vec![0x81, u8::try_from(middle).unwrap()],
        long => vec![0x82, u8::try_from(long >> 8).unwrap(), u8::try_from(long & 0xff).unwrap()],
    };
    [&[tag][..], &length, body].concat()
}

const RSA: &str = "06092a864886f70d010101 0500";
const P256: &str = "06072a8648ce3d0201 06082a8648ce3d030107";
const ED25519: &str = "06032b6570";

/// The order of P-256.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// A public key in PEM: an algorithm, and the bytes that it has for one.
fn public_pem(algorithm: &str, point: &[u8]) -> String {
    let bits = tlv(3, &[&[0], point].concat());
    pem::write("PUBLIC KEY", &tlv(0x30, &[tlv(0x30, &hex(algorithm)), bits].concat())).to_string()
}

/// A private key in PEM.
fn private_pem(algorithm: &str, secret: &[u8]) -> String {
    let body = [hex("020100"), tlv(0x30, &hex(algorithm)), tlv(4, secret)].concat();
    pem::write("PRIVATE KEY", &tlv(0x30, &body)).to_string()
}

/// What SEC 1 has for a private key, with its public one where that is given.
fn sec1(secret: &str, public: Option<&PublicKey>) -> Vec<u8> {
    let public = public.map(|public| tlv(0xa1, &tlv(3, &[&[0], public.point().as_slice()].concat())));
    tlv(0x30, &[hex("020101"), tlv(4, &hex(secret)), public.unwrap_or_default()].concat())
}

/// The code and message of a refusal.
fn refusal<T: fmt::Debug>(result: Result<T, KeyFault>) -> (&'static str, String) {
    let fault = result.unwrap_err();
    assert!(KeyFault::CODES.contains(&fault.code()), "{fault}");
    (fault.code(), fault.to_string())
}

#[test]
fn refuses_keys_of_other_algorithms_by_name() {
    for (algorithm, name) in [
        (RSA, "RSA"),
        ("06092a864886f70d01010a", "RSA (PSS)"),
        ("06072a8648ce380401", "DSA"),
        ("06072a8648ce3d0201 06052b81040022", "P-384"),
        ("06072a8648ce3d0201 06052b81040023", "P-521"),
        ("06072a8648ce3d0201 06052b8104000a", "secp256k1"),
        ("06072a8648ce3d0201 3003020101", "a curve that it describes itself"),
        ("06032b656e", "X25519"),
        ("06032b6571", "Ed448"),
        ("060960864801650304 0311", "ML-DSA-44"),
        ("06032a0304", "the algorithm 1.2.3.4"),
    ] {
        let message = format!("the key is for {name}; only P-256 and Ed25519 keys are used");
        assert_eq!(refusal(PublicKey::from_pem(public_pem(algorithm, b"key").as_bytes())).1, message);
        let (code, found) = refusal(SigningKey::from_pem(private_pem(algorithm, b"key").as_bytes()));
        assert_eq!((code, found), ("key-algorithm", message));
    }
}

#[test]
fn refuses_what_is_not_such_a_key_by_its_label() {
    let block = |label: &str| pem::write(label, b"whatever it holds").to_string();
    let sec1 = "the private key is in SEC 1 form (`EC PRIVATE KEY`) instead of PKCS #8 (`PRIVATE KEY`)";
    let rsa = "the key is for RSA; only P-256 and Ed25519 keys are used";
    for (text, code, message) in [
        (block("PUBLIC KEY"), "key-public", "it is a public key, where the private one is asked for"),
        (block("RSA PUBLIC KEY"), "key-public", "it is a public key, where the private one is asked for"),
        (block("ENCRYPTED PRIVATE KEY"), "key-encrypted", "the private key is encrypted"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nAAAA\n-----END EC PRIVATE KEY-----\n"
                .to_owned(),
            "key-encrypted",
            "the private key is encrypted",
        ),
        (
            block("ENCRYPTED COSIGN PRIVATE KEY"),
            "key-encrypted-cosign",
            "the private key is encrypted as only cosign reads it",
        ),
        (
            block("ENCRYPTED SIGSTORE PRIVATE KEY"),
            "key-encrypted-cosign",
            "the private key is encrypted as only cosign reads it",
        ),
        (block("EC PRIVATE KEY"), "key-sec1", sec1),
        (block("EC PARAMETERS") + &block("EC PRIVATE KEY"), "key-sec1", sec1),
        (block("RSA PRIVATE KEY"), "key-algorithm", rsa),
        (
            block("OPENSSH PRIVATE KEY"),
            "key-openssh",
            "the private key is in OpenSSH's form instead of PKCS #8 (`PRIVATE KEY`)",
        ),
        (block("CERTIFICATE"), "key-certificate", "it is a certificate instead of a key"),
        (
            block("PGP PRIVATE KEY BLOCK"),
            "key-label",
            "it is not a key but `PGP PRIVATE KEY BLOCK`",
        ),
        (block("PRIVATE KEY") + &block("PRIVATE KEY"), "key-blocks", "it holds 2 PEM blocks instead of one"),
    ] {
        assert_eq!(refusal(SigningKey::from_pem(text.as_bytes())), (code, message.to_owned()));
    }
    let private = "it is a private key, where the public one is asked for";
    for (text, code, message) in [
        (block("PRIVATE KEY"), "key-private", private),
        (block("EC PRIVATE KEY"), "key-private", private),
        (block("RSA PRIVATE KEY"), "key-private", private),
        (block("ENCRYPTED SIGSTORE PRIVATE KEY"), "key-private", private),
        (block("OPENSSH PRIVATE KEY"), "key-private", private),
        (block("RSA PUBLIC KEY"), "key-algorithm", rsa),
        (block("CERTIFICATE"), "key-certificate", "it is a certificate instead of a key"),
        (block("SSH2 KEY"), "key-label", "it is not a key but `SSH2 KEY`"),
        (block("PUBLIC KEY") + &block("PUBLIC KEY"), "key-blocks", "it holds 2 PEM blocks instead of one"),
        (block("CERTIFICATE") + &block("PUBLIC KEY"), "key-blocks", "it holds 2 PEM blocks instead of one"),
    ] {
        assert_eq!(refusal(PublicKey::from_pem(text.as_bytes())), (code, message.to_owned()));
    }
}

#[test]
fn reads_pem_as_people_keep_it() {
    let public = signing(KeyType::Ed25519, &"01".repeat(32)).public();
    let text = public.to_pem();
    for kept in [
        text.clone(),
        text.replace('\n', "\r\n"),
        text.replace('\n', " \t\n"),
        format!("The release key, ünder Ümlauts:\n\n{text}\n\nuntil 2030\n"),
        format!("\u{feff}{text}"),
        text.trim_end().to_owned(),
        text.replace("-----\nM", "-----\n\nM"),
    ] {
        assert_eq!(PublicKey::from_pem(kept.as_bytes()), Ok(public), "{kept}");
    }
    let not_alone = "its PEM block is damaged: its first line does not stand alone";
    let not_base64 = "its PEM block is damaged: it is not base64";
    let no_end = "its PEM block is damaged: it has no end";
    for (kept, message) in [
        (String::new(), "it is not a key in PEM form"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me".to_owned(), "it is not a key in PEM form"),
        (text.replace('\n', "\\n"), not_alone),
        (text.replace('\n', " "), not_alone),
        (text.replace('=', ""), not_base64),
        (text.replacen('M', "*", 1), not_base64),
        (text.replace("-----END PUBLIC KEY-----", ""), no_end),
        (text.replace("END PUBLIC", "END PRIVATE"), no_end),
        (text.replace("KEY-----\nM", "KEY-----\nComment: x\nM"), "its PEM block is damaged: it has headers"),
        (" ".repeat(100_000), "it has more than 65536 bytes, which no key has"),
    ] {
        assert_eq!(refusal(PublicKey::from_pem(kept.as_bytes())).1, message, "{kept}");
    }
}

#[test]
fn refuses_points_that_prove_nothing() {
    let point = "the public key is not a point on its curve, in its one encoding";
    let low = "the public key is a point of low order: anybody can sign for it";
    let damaged = "the key is damaged, or not encoded as such keys are (DER)";
    let good = signing(KeyType::P256, &"01".repeat(32)).public().point();
    let compressed = [&[2 + (good[64] & 1)], &good[1..33]].concat();
    let mut off = good.clone();
    off[64] ^= 1;
    let hybrid = [&[6 + (good[64] & 1)], &good[1..]].concat();
    for (algorithm, bytes, code, message) in [
        (P256, off, "key-point", point),
        (P256, vec![0], "key-point", point),
        (P256, hybrid, "key-point", point),
        (P256, vec![], "key-point", point),
        (P256, compressed, "key-der", damaged),
        // RFC 8032, 5.1.3: y is below the field's order, and some x belongs to it.
        (ED25519, hex(&format!("02{}", "00".repeat(31))), "key-point", point),
        (ED25519, hex(&format!("ed{}7f", "ff".repeat(30))), "key-point", point),
        (ED25519, hex(&format!("f0{}7f", "ff".repeat(30))), "key-point", point),
        (ED25519, vec![1; 31], "key-der", damaged),
        (ED25519, vec![1; 33], "key-der", damaged),
    ] {
        let pem = public_pem(algorithm, &bytes);
        assert_eq!(refusal(PublicKey::from_pem(pem.as_bytes())), (code, message.to_owned()), "{bytes:02x?}");
    }
    for y in [
        format!("01{}", "00".repeat(31)),
        "00".repeat(32),
        format!("ec{}7f", "ff".repeat(30)),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
    ] {
        for sign in [0, 0x80] {
            let mut bytes = hex(&y);
            bytes[31] |= sign;
            let found = refusal(PublicKey::from_pem(public_pem(ED25519, &bytes).as_bytes()));
            assert_eq!(found, ("key-low-order", low.to_owned()), "{bytes:02x?}");
        }
    }
}

#[test]
fn refuses_public_keys_in_other_encodings() {
    let key = signing(KeyType::P256, &"01".repeat(32)).public();
    let der = key.to_der();
    let pem = |der: &[u8]| PublicKey::from_pem(pem::write("PUBLIC KEY", der).as_bytes());
    assert_eq!(pem(&der), Ok(key));
    let long_length = [&[0x30, 0x81], &der[1..]].concat();
    let ed25519_with_null = tlv(0x30, &[tlv(0x30, &hex("06032b6570 0500")), tlv(3, &[0; 33])].concat());
    for broken in [&[][..], &[&der[..], &[0]].concat(), &der[..der.len() - 1], &long_length, &ed25519_with_null] {
        let message = "the key is damaged, or not encoded as such keys are (DER)";
        assert_eq!(refusal(pem(broken)), ("key-der", message.to_owned()), "{broken:02x?}");
    }
}

#[test]
fn refuses_private_keys_whose_halves_differ_or_that_are_none() {
    let secret = "01".repeat(32);
    let (own, other) = (signing(KeyType::P256, &secret).public(), signing(KeyType::P256, &"02".repeat(32)).public());
    let read = |algorithm, bytes: &[u8]| SigningKey::from_pem(private_pem(algorithm, bytes).as_bytes());
    assert_eq!(read(P256, &sec1(&secret, Some(&own))).unwrap().public(), own);
    // Java writes none.
    assert_eq!(read(P256, &sec1(&secret, None)).unwrap().public(), own);
    let halves = ("key-halves", "the public key inside does not belong to the private one".to_owned());
    let range = ("key-range", "the private key is out of range".to_owned());
    let damaged = ("key-der", "the key is damaged, or not encoded as such keys are (DER)".to_owned());
    assert_eq!(refusal(read(P256, &sec1(&secret, Some(&other)))), halves);
    for secret in ["00".repeat(32), ORDER.to_owned(), "ff".repeat(32), "01".repeat(33), "01".repeat(8)] {
        assert_eq!(refusal(read(P256, &sec1(&secret, None))), range, "{secret}");
    }
    for bytes in [vec![], b"\x30".to_vec(), [sec1(&secret, None), vec![0]].concat(), tlv(4, &hex(&secret))] {
        assert_eq!(refusal(read(P256, &bytes)), damaged);
    }
    let seed = tlv(4, &hex(&secret));
    assert_eq!(read(ED25519, &seed).unwrap().public(), signing(KeyType::Ed25519, &secret).public());
    for bytes in [hex(&secret), tlv(4, &[1; 31]), tlv(4, &[1; 33]), [seed, vec![0]].concat()] {
        assert_eq!(refusal(read(ED25519, &bytes)), damaged);
    }
    // RFC 5958: version 2 has the public key beside it.
    let both = |public: &[u8]| {
        let body = [hex("020101"), tlv(0x30, &hex(ED25519)), tlv(4, &tlv(4, &hex(&secret)))].concat();
        let body = [body, tlv(0x81, &[&[0], public].concat())].concat();
        SigningKey::from_pem(pem::write("PRIVATE KEY", &tlv(0x30, &body)).as_bytes())
    };
    let public = signing(KeyType::Ed25519, &secret).public();
    assert_eq!(both(&public.point()).unwrap().public(), public);
    assert_eq!(refusal(both(&[1; 32])), halves);
}

#[test]
fn refuses_ecdsa_signatures_of_a_second_form() {
    let key = signing(KeyType::P256, &"01".repeat(32));
    let good = key.sign(b"text");
    let verify = |signature: &[u8]| key.public().verify(b"text", signature);
    assert_eq!(verify(&good), Ok(()));
    // Both numbers as the signature has them.
    let raw = p256::ecdsa::Signature::from_der(&good).unwrap().to_bytes();
    let (r, s) = raw.split_at(32);
    let integer = |bytes: &[u8]| tlv(2, bytes);
    let positive = |bytes: &[u8]| if bytes[0] & 0x80 == 0 { bytes.to_vec() } else { [&[0], bytes].concat() };
    let of = |r: &[u8], s: &[u8]| tlv(0x30, &[integer(r), integer(s)].concat());
    assert_eq!(of(&positive(r), &positive(s)), good);
    let zeros = |bytes: &[u8]| [&[0, 0], bytes].concat();
    // A number that begins with a bit set is negative in DER: one of r and n - r does.
    let negative = [&[0x80][..], &r[1..]].concat();
    let sequence_of = |body: &[u8]| tlv(0x30, body);
    let body = &good[2..];
    for signature in [
        of(&zeros(r), &positive(s)),
        of(&positive(r), &zeros(s)),
        of(&negative, &positive(s)),
        of(&positive(r), &[&[1], s].concat()),
        of(&[], &positive(s)),
        [&good[..], &[0]].concat(),
        good[..good.len() - 1].to_vec(),
        [&[0x30, 0x81, good[1]], body].concat(),
        [&[0x30, 0x80], body, &[0, 0]].concat(),
        [&[0x31], &good[1..]].concat(),
        sequence_of(&[body, &[2, 1, 1]].concat()),
        sequence_of(&[body, &[5, 0]].concat()),
        sequence_of(&integer(&positive(r))),
        sequence_of(&[integer(&positive(r)), tlv(3, &positive(s))].concat()),
        vec![0x30, 0],
        vec![0x30],
        vec![],
        b"not a signature".to_vec(),
        vec![0; 63],
        vec![0xff; 100_000],
    ] {
        assert_eq!(verify(&signature), Err(SignatureFault::Der), "{signature:02x?}");
    }
    let order = positive(&hex(ORDER));
    for signature in [
        of(&[0], &positive(s)),
        of(&positive(r), &[0]),
        of(&order, &positive(s)),
        of(&positive(r), &order),
        of(&positive(&[0xff; 32]), &positive(s)),
    ] {
        assert_eq!(verify(&signature), Err(SignatureFault::Range), "{signature:02x?}");
    }
    assert_eq!(verify(&raw), Err(SignatureFault::Raw));
    assert_eq!(verify(&of(&[1], &[1])), Err(SignatureFault::Wrong));
    assert_eq!(verify(&of(&positive(s), &positive(r))), Err(SignatureFault::Wrong));
    assert_eq!(key.public().verify(b"texT", &good), Err(SignatureFault::Wrong));
    // Its mirror, n - s, is a signature too, for every verifier that follows FIPS 186-5.
    let mirrored = p256::ecdsa::Signature::from_der(&good).unwrap();
    let mirrored = p256::ecdsa::Signature::from_scalars(mirrored.r(), -*mirrored.s()).unwrap();
    assert_eq!(verify(mirrored.to_der().as_bytes()), Ok(()));
}

#[test]
fn refuses_ed25519_signatures_of_a_second_form() {
    let key = signing(KeyType::Ed25519, &"01".repeat(32));
    let good = key.sign(b"text");
    let verify = |signature: &[u8]| key.public().verify(b"text", signature);
    assert_eq!(verify(&good), Ok(()));
    for length in [0, 63, 65] {
        let mut signature = good.clone();
        signature.resize(length, 0);
        assert_eq!(verify(&signature), Err(SignatureFault::Length(length)));
    }
    // s + L is the same number to a careless reader (RFC 8032, 5.1.7).
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    let plus_order: Vec<u8> = good[32..]
        .iter()
        .zip(&order)
        .map(|(one, other)| {
            let sum = u16::from(*one) + u16::from(*other) + carry;
            carry = sum >> 8;
            u8::try_from(sum & 0xff).unwrap()
        })
        .collect();
    assert_eq!(verify(&[&good[..32], &plus_order].concat()), Err(SignatureFault::Wrong));
    for at in 0..64 {
        let mut signature = good.clone();
        signature[at] ^= 1;
        assert_eq!(verify(&signature), Err(SignatureFault::Wrong), "{at}");
    }
}

#[test]
fn signatures_of_the_other_type_are_named() {
    let p256 = signing(KeyType::P256, &"01".repeat(32));
    let ed25519 = signing(KeyType::Ed25519, &"01".repeat(32));
    let say = |key: &SigningKey, signature: &[u8]| {
        let fault = key.public().verify(b"text", signature).unwrap_err();
        assert!(SignatureFault::CODES.contains(&fault.code()), "{fault}");
        (fault.code(), fault.to_string())
    };
    let code = "signature-other-type";
    assert_eq!(
        say(&p256, &ed25519.sign(b"text")),
        (code, "the signature is Ed25519, but the key is ECDSA P-256".to_owned())
    );
    assert_eq!(
        say(&ed25519, &p256.sign(b"text")),
        (code, "the signature is ECDSA P-256, but the key is Ed25519".to_owned())
    );
}

#[test]
fn nothing_of_a_secret_is_shown() {
    for key_type in [KeyType::P256, KeyType::Ed25519] {
        let key = signing(key_type, &"41".repeat(32));
        assert_eq!(format!("{key:?}"), format!("SigningKey(KeyId(\"{}\"))", key.public().id()));
    }
    let text = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    assert_eq!(format!("{:?}", SigningKey::from_pem(text.as_bytes())), "Err(Der)");
}
