// Makes a bundle with @sigstore/sign and a local key: sign-bundle.mjs STATEMENT PRIVATE_KEY [HINT].
import { createPrivateKey, createPublicKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleToJSON } from "@sigstore/bundle";
import { DSSEBundleBuilder } from "@sigstore/sign";

const [statementPath, keyPath, hint] = process.argv.slice(2);
const privateKey = createPrivateKey(readFileSync(keyPath));
const publicKey = createPublicKey(privateKey).export({ format: "pem", type: "spki" });
const digest = privateKey.asymmetricKeyType === "ed25519" ? null : "sha256";
const signer = {
  sign: async (data) => ({
    signature: sign(digest, data, privateKey),
    key: { $case: "publicKey", publicKey, hint },
  }),
};
const builder = new DSSEBundleBuilder({ signer, witnesses: [] });
const bundle = await builder.create({ data: readFileSync(statementPath), type: "application/vnd.in-toto+json" });
process.stdout.write(JSON.stringify(bundleToJSON(bundle)));
