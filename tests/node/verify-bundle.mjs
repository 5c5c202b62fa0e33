// Asks @sigstore/bundle and @sigstore/verify about a bundle: verify-bundle.mjs BUNDLE PUBLIC_KEY HINT.
// Writes the payload that was verified.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleFromJSON } from "@sigstore/bundle";
import { Verifier, toSignedEntity } from "@sigstore/verify";

const [bundlePath, keyPath, expectedHint] = process.argv.slice(2);
const bundle = bundleFromJSON(JSON.parse(readFileSync(bundlePath, "utf8")));
const publicKey = createPublicKey(readFileSync(keyPath));
const nobody = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const verifier = new Verifier(
  {
    ...nobody,
    publicKey: (hint) => {
      if (hint !== expectedHint) throw new Error(`expected the key ${expectedHint}, found ${hint}`);
      return { publicKey, validFor: () => true };
    },
  },
  { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 },
);
verifier.verify(toSignedEntity(bundle));
process.stdout.write(bundle.content.dsseEnvelope.payload);
