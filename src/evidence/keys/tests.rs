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
