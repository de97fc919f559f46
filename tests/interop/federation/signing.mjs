// Signatures of JSON as the specification has them, for keys that clients publish.

import { generateKeyPairSync, sign } from "node:crypto";

export class SigningKey {
  static generate() {
    return new SigningKey(generateKeyPairSync("ed25519"));
  }

  #pair;

  constructor(pair) {
    this.#pair = pair;
    this.publicBase64 = unpadded(Buffer.from(pair.publicKey.export({ format: "jwk" }).x, "base64url"));
  }

  sign(text) {
    return unpadded(sign(null, Buffer.from(text), this.#pair.privateKey));
  }
}

/** The object with this entity's signature. */
export function signed(object, entity, keyId, key) {
  return { ...object, signatures: { [entity]: { [keyId]: key.sign(canonical(object)) } } };
}

/** Canonical JSON of what has no numbers but integers. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

const unpadded = (bytes) => bytes.toString("base64").replace(/=+$/, "");
